# Every target creates .venv when it is missing and installs again when requirements.txt or pyproject.toml changed.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed
DEMO_CONFIG := configs/digits/frcnn_tiny.py
DEMO_DATA := data/digits
DEMO_IMAGES := 4000
DEMO_RUN := work_dirs/demo
DEMO_OPTIONS := --amp --cfg-options +optim_wrapper.dtype=native \
	load_from=models/frcnn_tiny_synthetic_256.safetensors train_cfg.max_epochs=1

# The published systems at a size that two CPU cores train: their recipes, a small network from random weights, small images.
COMPARED := frcnn_v2_fp32 frcnn_v2_amp frcnn_aug_cosine frcnn_aug_cosine_noaug
COMPARE_DATA := data/compare
COMPARE_RUNS := work_dirs/compare
LAPTOP_SIZE := load_from=None optim_wrapper.optimizer.lr=0.02 +val_evaluator.1.assembly=default \
	model.backbone.depth=18 +model.backbone.base_channels=32 +model.backbone.stem_channels=32 model.backbone.frozen_stages=-1 \
	model.neck.in_channels=[32,64,128,256] model.neck.out_channels=64 model.rpn_head.in_channels=64 model.rpn_head.feat_channels=64 \
	model.roi_head.bbox_roi_extractor.out_channels=64 model.roi_head.bbox_head.in_channels=64 \
	+model.roi_head.bbox_head.conv_out_channels=64 model.roi_head.bbox_head.fc_out_channels=256 \
	model.train_cfg.rcnn.sampler.num=32 model.train_cfg.rpn_proposal.max_per_img=200 model.test_cfg.rpn.max_per_img=100
SYSTEM_A_SCALE := train_dataloader.dataset.pipeline.2.scale=(128,64) val_dataloader.dataset.pipeline.1.scale=(128,64)

# R50 for photographs, on a GPU: make photographs REAL=data/svhn FONTS=/usr/share/fonts
REAL ?= data/svhn
FONTS ?=
STREET := data/street
PHOTOGRAPHS := work_dirs/photographs
WEIGHTS := $(PHOTOGRAPHS)/frcnn_best.safetensors

.PHONY: demo compare photographs install test test-slow test-crash lint format clean
.DEFAULT_GOAL := demo

$(INSTALLED): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; ok = (3, 11) <= v < (3, 14); sys.exit(None if ok else f"Python {v[0]}.{v[1]} found, 3.11 to 3.13 needed: make PYTHON=python3.11 $(MAKECMDGOALS)")'
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

install: $(INSTALLED)  ## everything the project needs, in .venv

demo: $(INSTALLED)  ## draw data, fine-tune the released detector on it, test it; goes on where it was stopped
	$(RUN) tools/prepare_data.py synthetic --look clear --train $(DEMO_IMAGES) --out $(DEMO_DATA)
	$(RUN) tools/train.py $(DEMO_CONFIG) --data-root $(DEMO_DATA) --work-dir $(DEMO_RUN) $(DEMO_OPTIONS) --resume
	$(RUN) tools/test.py $(DEMO_CONFIG) $$(cat $(DEMO_RUN)/last_checkpoint) --data-root $(DEMO_DATA) --work-dir $(DEMO_RUN)
	@echo 'Next: your own images (data/README.md), curves (tensorboard --logdir $(DEMO_RUN)), other recipes (configs/digits/).'

compare: $(INSTALLED)  ## train both published systems at laptop size on the same drawn data; table and figure in work_dirs/compare
	$(RUN) tools/prepare_data.py synthetic --look clear --train 600 --out $(COMPARE_DATA)
	set -e; for config in $(COMPARED); do \
		case $$config in frcnn_v2_*) scale='$(SYSTEM_A_SCALE)';; *) scale=;; esac; \
		$(RUN) tools/train.py configs/digits/$$config.py --data-root $(COMPARE_DATA) --work-dir $(COMPARE_RUNS)/$$config --resume \
			--cfg-options $(LAPTOP_SIZE) $$scale; \
	done
	$(RUN) tools/analysis_tools/compare_runs.py $(COMPARED:%=$(COMPARE_RUNS)/%) --overwrite \
		--markdown $(COMPARE_RUNS)/table.md --json $(COMPARE_RUNS)/table.json --figure $(COMPARE_RUNS)/curves.png

photographs: $(INSTALLED)  ## train R50 on drawn scenes, then on the real images of REAL; test both; weights in pieces of 15 MB
	$(RUN) tools/prepare_data.py synthetic $(FONTS:%=--fonts %) --train 30062 --out $(STREET)
	$(RUN) tools/train.py configs/digits/frcnn_synthetic.py --data-root $(STREET) --resume
	$(RUN) tools/train.py configs/digits/frcnn_best.py --data-root $(REAL) --resume
	set -e; for config in frcnn_synthetic frcnn_best; do \
		$(RUN) tools/test.py configs/digits/$$config.py $$(cat work_dirs/$$config/last_checkpoint) --data-root $(REAL) \
			--work-dir $(PHOTOGRAPHS)/$$config; \
	done
	$(RUN) tools/model_converters/checkpoint2safetensors.py $$(cat work_dirs/frcnn_best/last_checkpoint) $(WEIGHTS) --dtype float16 --overwrite
	split --bytes=15MB --numeric-suffixes $(WEIGHTS) $(WEIGHTS).

test: $(INSTALLED)  ## the default tests, on all cores
	OMP_NUM_THREADS=1 $(RUN) -m pytest --numprocesses auto --dist worksteal

test-slow: $(INSTALLED)  ## the tests that take minutes
	$(RUN) -m pytest -m slow --ignore tests/crash

test-crash: $(INSTALLED)  ## twenty SIGKILLs, each followed by a resume, against an uninterrupted run
	$(RUN) -m pytest -m slow -s tests/crash

lint: $(INSTALLED)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

format: $(INSTALLED)
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

clean:  ## caches and the environment; data and work_dirs stay
	rm -rf $(VENV) .pytest_cache .ruff_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
