PYTHON ?= python3
BIN := .venv/bin

.PHONY: install book test fuzz simulate results control quality screenshots bench bench-peers lowest locks clean
.DELETE_ON_ERROR:

# All that is installed is listed with its SHA-256 in requirements/; of torch, whose builds differ by platform, the version
# alone, and what its builds for CUDA need besides. `make install BIN=…` installs into another environment than .venv.
PINNED := -m pip install --progress-bar off --quiet --disable-pip-version-check --no-deps
LOCKED := $(PINNED) --require-hashes --requirement
install:
	@$(BIN)/python $(LOCKED) requirements/base.txt
	@$(BIN)/python $(PINNED) --requirement requirements/torch.txt
	@! $(BIN)/python -m pip check | grep '^torch .* not installed' >/dev/null \
		|| $(BIN)/python $(LOCKED) requirements/cuda.txt
	@$(BIN)/python $(PINNED) --no-build-isolation --editable .

.venv/ready: requirements/base.txt requirements/torch.txt requirements/cuda.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "xlv needs Python 3.11 or newer; set PYTHON=…")'
	@$(PYTHON) -m venv .venv
	@echo "installing pinned packages into .venv (a few minutes)"
	@$(MAKE) --no-print-directory install
	@touch .venv/ready

book: .venv/ready
	@$(BIN)/xlv book --profile quick

# Tests in as many processes as WORKERS, of one thread each, in which models are loaded once; TESTS picks some of them.
WORKERS ?= 2
TESTS ?= tests
test: .venv/ready
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(TESTS)

# Seeded campaigns at full size, of which the tests take a sample: random input to what reads input, and simulations of
# the statistics, their false alarms, coverage and power.
fuzz simulate: .venv/ready
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist load -m $@ --full $(TESTS)

# The reference results of book/results, made anew and compared with the committed ones (hours): the raw reading, and for
# models with a chat template the chat reading. Each line goes on where it was interrupted, and activations that the cache
# has are not read again; on two cores faster as two lines at a time, `OMP_NUM_THREADS=1 make -j2 results`.
RESULTS ?= build/results
RAW := smollm2-135m qwen2.5-coder-0.5b gemma-3-270m
CHAT := smollm2-135m-chat qwen2.5-coder-0.5b-chat
LARGE := qwen2.5-coder-1.5b
IN_BF16 := --dtype bf16 --no-baselines --out $(RESULTS)
.PHONY: $(RAW) $(CHAT) $(LARGE) $(LARGE)-chat
$(RAW): .venv/ready
	$(BIN)/xlv run $@ --out $(RESULTS)
$(CHAT): .venv/ready
	$(BIN)/xlv run $(@:-chat=) --template chat --out $(RESULTS)
$(LARGE): .venv/ready
	$(BIN)/xlv run $@ $(IN_BF16)
$(LARGE)-chat: .venv/ready
	$(BIN)/xlv run $(LARGE) --template chat --concepts toxicity,harmfulness,deontology $(IN_BF16)
results: $(RAW) $(CHAT) $(LARGE) $(LARGE)-chat
	$(BIN)/python -m pytest tests/reference_results.py --results $(RESULTS)

# The results of question 4, as large as those of book/results, beside those that `make results` made. The smaller Qwen is
# asked all 80 instructions of each kind in all languages, with three sources and a pooled one (37,000 completions, four
# hours on two cores), the larger one the 40 newest in six, SmolLM2 in English; the score is taken in all sixteen.
control: qwen2.5-coder-0.5b smollm2-135m
	$(BIN)/xlv run $< --control --out $(RESULTS)
	$(BIN)/xlv run $(LARGE) --profile medium --concepts harmfulness --control $(IN_BF16)
	$(BIN)/xlv run smollm2-135m --control --generated en --out $(RESULTS)

# A built book in headless Chromium (the machine's own, or the variable CHROMIUM): faults of its pages; README's pictures.
BOOK ?= _build/html
.venv/quality: .venv/ready requirements/quality.txt
	@$(BIN)/python $(LOCKED) requirements/quality.txt
	@touch .venv/quality

quality: .venv/quality
	@$(BIN)/python -m pytest tests/book_in_browser.py -rs --book $(BOOK)

screenshots: .venv/quality
	@$(BIN)/python -m tests.screenshots $(BOOK) book/images

# Speed and memory against the paper's code and peers, on an idle machine (half an hour on two cores);
# BENCH="--pairs 32" and its like set other sizes.
bench: .venv/ready
	@$(BIN)/python -m benchmarks $(BENCH)

# The peers, each in an environment of its own below build/peers (about 0.7 GB); without them the bench leaves them out.
bench-peers: .venv/ready
	@$(BIN)/python -m benchmarks --install-peers

# The lowest releases that pyproject.toml allows, in an environment of their own, and tests that show whether they will do.
LOWEST ?= tests/models tests/statistics tests/report tests/cli tests/test_results.py tests/test_settings.py tests/test_contract.py
lowest:
	@$(PYTHON) -m venv --clear build/lowest
	@$(PYTHON) scripts/lowest.py > build/lowest/releases.txt
	@build/lowest/bin/python -m pip install --quiet --only-binary :all: --requirement build/lowest/releases.txt
	@build/lowest/bin/python $(PINNED) --no-build-isolation --editable .
	@OMP_NUM_THREADS=1 build/lowest/bin/python -m pytest $(LOWEST)

# The locks in requirements/, after a change of pyproject.toml; UPGRADE=--upgrade takes the newest releases.
locks:
	@$(PYTHON) -m venv --clear build/locks
	@build/locks/bin/python $(LOCKED) requirements/uv.txt
	@build/locks/bin/python scripts/renew_locks.py $(UPGRADE)

clean:
	rm -rf build _build
