"""The style ``authoryear``: a source is labelled as the text cites it."""

from pybtex.plugin import register_plugin
from pybtex.style.formatting.plain import Style
from pybtex.style.labels import BaseLabelStyle
from sphinxcontrib.bibtex.style.referencing.author_year import (
    BasicAuthorYearParentheticalReferenceStyle as Citation,
)
from sphinxcontrib.bibtex.style.template import join, year


class Labels(BaseLabelStyle):
    """Names and year of each source, as in a citation in parentheses."""

    def format_labels(self, sorted_entries):
        """Yield a label for each entry.

        Parameters
        ----------
        sorted_entries : list of pybtex.database.Entry

        Raises
        ------
        ValueError
            Two entries would have one label: a letter has to tell their
            years apart.
        """
        style, seen = Citation(), {}
        parts = [style.person.author_or_editor_or_title(full=False), year]
        for entry in sorted_entries:
            data = {"entry": entry, "style": style}
            label = join(sep=style.author_year_sep)[parts].format_data(data)
            label = label.render_as("text")
            other = seen.setdefault(label, entry.key)
            if other != entry.key:
                raise ValueError(
                    f"{other} and {entry.key} are both cited as {label!r}; "
                    "allowed: years told apart by a letter, such as 2017a"
                )
            yield label


class AuthorYear(Style):
    """Pybtex's plain style, labelled by author and year."""

    default_label_style = Labels


def setup(app):
    """Make the style known to the directive ``bibliography``."""
    register_plugin("pybtex.style.formatting", "authoryear", AuthorYear)
    return {"version": "1", "parallel_read_safe": True}
