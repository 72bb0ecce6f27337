# `make book` and `make test` set everything up themselves. Everything else is listed by `make help`.
# Which Python `.venv` is made with; without it the one that it has, or python3.
PYTHON ?=
BIN := .venv/bin
# an extra of benchmarks and translations, never of the book (Linux: PyPI's brings CUDA along)
TORCH ?= torch==2.13.0
NOTEBOOKS = $(wildcard book/*.ipynb)

# `book` and `colab` write to the same folder of parsed chapters.
.NOTPARALLEL:

# Nothing personal gets into checks and outputs: no start-up file, profile, style, kernel or option of the user's.
# (For pip see tools/installer.py.)
export IPYTHONDIR := $(CURDIR)/.venv/config/ipython
export MPLCONFIGDIR := $(CURDIR)/.venv/config/matplotlib
export JUPYTER_CONFIG_DIR := $(CURDIR)/.venv/config/jupyter
export JUPYTER_DATA_DIR := $(CURDIR)/.venv/config/jupyter/share
export JUPYTER_NO_CONFIG := 1
OURS := IPYTHONDIR MPLCONFIGDIR JUPYTER_CONFIG_DIR JUPYTER_DATA_DIR JUPYTER_NO_CONFIG
PERSONAL := PYTHON% IPYTHON% JUPYTER% MPL% MATPLOTLIBRC PYTEST% RUFF% SPHINX% NODE_OPTIONS NODE_PATH
unexport $(filter-out $(OURS),$(filter $(PERSONAL),$(.VARIABLES)))

.PHONY: help env book lab test check format run figures experiments outputs mutants translations matrix colab test-colab test-lab pdf sheet slides exercises serve links bench lock clean

help:            ## list the targets
	@grep -E '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 14

env:             ## create .venv and install the lock into it; another Python: make env PYTHON=python3.12
	@$(or $(PYTHON),$(shell command -v python3 || echo $(BIN)/python)) tools/env.py $(if $(PYTHON),--exact)

book: env        ## render the book to _build/html/index.html, warnings are errors
	$(BIN)/jupyter-book build . --all -W --keep-going -n -q
	$(BIN)/python tools/slides.py

slides: env      ## build the slides to _build/slides; `make book` does, too, and puts a copy beside the pages
	$(BIN)/python tools/slides.py

lab: env         ## open the chapters in JupyterLab; your changes in _build/lab stay
	$(BIN)/python tools/env.py --extra lab
	$(BIN)/python tools/lab.py open $(ADDRESS)

check: env       ## lint, and check types, format and spelling of modules, notebooks and prose
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright
	$(BIN)/codespell

format: env      ## format modules and notebooks
	$(BIN)/ruff check --fix-only -q .
	$(BIN)/ruff format .

test: env        ## check everything: style, the book, pytest, every notebook; say what each took
	MAKE=$(MAKE) $(BIN)/python tools/stages.py

run: env         ## execute the chapters again, in place (one: make run NOTEBOOKS=book/rnn.ipynb)
	$(BIN)/python tools/notebooks.py run $(NOTEBOOKS)

figures: env     ## write the figures to take away, SVG and PDF, that are missing or out of date
	$(BIN)/python tools/figures.py

experiments: env ## run what decides about training, 2 hours; goes on where it was (one: ONLY=recall)
	$(BIN)/python -m experiments $(ONLY)

outputs: env     ## execute all chapters and compare their outputs with the committed ones
	$(BIN)/python tools/notebooks.py check --whole

mutants: env     ## see every check fail under its mutation (one: make mutants NOTEBOOKS=book/rnn.ipynb)
	$(BIN)/python tools/mutants.py $(NOTEBOOKS)

translations: env ## run the book's PyTorch and JAX and compare them with MXNet's values
	$(BIN)/nox -s translations -- "$(TORCH)"

matrix: env      ## test the package on other Pythons and NumPys
	$(BIN)/nox -s matrix

colab: env       ## write the chapters as notebooks for Colab and Binder to _build/colab
	$(BIN)/python tools/colab.py write

test-colab: env  ## run those in environments like Colab's (some: make test-colab CHAPTERS=rnn)
	$(BIN)/nox -s colab -- $(CHAPTERS)

test-lab: env    ## open those of `make lab` in JupyterLab and a browser, and run one there
	$(BIN)/python tools/env.py --extra lab
	$(BIN)/python -m pytest tests/browse_lab.py

pdf: env         ## print the book to _build/pdf; `make book` then links to it
	$(BIN)/python tools/pdf.py

sheet: book      ## print the cheat sheet, one page, to _build/pdf; `make book` then links to it
	$(BIN)/python tools/sheet.py

exercises: colab ## write the exercises to hand out and their grader, and see wrong answers fail (one: CHAPTERS=rnn)
	$(BIN)/nox -s exercises -- $(CHAPTERS)

serve: env       ## show the book at http://127.0.0.1:8000 (PORT=8000) and render again what you save
	$(BIN)/python tools/serve.py $(PORT)

links: env       ## ask the addresses outside the book whether they still answer
	$(BIN)/jupyter-book build . --builder linkcheck -q

bench: env       ## measure what the schemes cost (10 minutes); TORCH= leaves PyTorch out
	$(if $(TORCH),$(BIN)/python tools/installer.py "$(TORCH)")
	$(BIN)/python -m benchmarks $(PARTS)

lock: env        ## resolve requirements.txt again into requirements.lock
	$(BIN)/python tools/lock.py

clean:           ## delete what was built, the environment included; your notebooks in _build/lab stay
	rm -rf .venv *.egg-info $(filter-out _build/lab,$(wildcard _build/* _build/.[!.]*))
