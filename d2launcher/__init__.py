"""``python -m d2launcher --workers 2 script.py`` runs a script on MXNet's parameter server."""
