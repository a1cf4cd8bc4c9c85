"""What other projects and services read of this one."""

import tomllib

import pytest
import yaml

import mmdet_digits
from mmdet_digits.repository import REPOSITORY

YAML_FILES = (
    'CITATION.cff',
    '.pre-commit-config.yaml',
    '.github/workflows/ci.yml',
    '.github/ISSUE_TEMPLATE/bug.yml',
    '.github/ISSUE_TEMPLATE/result.yml',
    'model-index.yml',
    'configs/digits/metafile.yml',
)


@pytest.mark.parametrize('name', YAML_FILES)
def test_files_are_yaml(name):
    assert isinstance(yaml.safe_load((REPOSITORY / name).read_text()), dict)


def test_the_version_is_the_same_everywhere():
    project = tomllib.loads((REPOSITORY / 'pyproject.toml').read_text())['project']
    citation = yaml.safe_load((REPOSITORY / 'CITATION.cff').read_text())
    assert project['version'] == citation['version'] == mmdet_digits.__version__
    assert project['license'] == citation['license']
    assert f'## {mmdet_digits.__version__}' in (REPOSITORY / 'CHANGELOG.md').read_text()


def test_services_run_what_readme_says():
    workflow = yaml.safe_load((REPOSITORY / '.github/workflows/ci.yml').read_text())
    commands = [step.get('run') for step in workflow['jobs']['test']['steps']]
    assert '.ci/run' in commands


def test_what_is_installed_is_pinned():
    """Each dependency has an exact version in requirements.txt."""
    project = tomllib.loads((REPOSITORY / 'pyproject.toml').read_text())['project']
    extras = project['optional-dependencies'].values()
    pinned = {
        line.partition('==')[0]
        for line in (REPOSITORY / 'requirements.txt').read_text().splitlines()
        if '==' in line
    }
    wanted = {*project['dependencies'], *(name for names in extras for name in names)}
    assert wanted - pinned <= {'joblib'}  # scikit-learn's own


def test_the_model_index_has_readmes_figures():
    """Each model of the index stands in README's table, with the same figures and real files."""
    index = yaml.safe_load((REPOSITORY / 'model-index.yml').read_text())
    models = [
        model
        for path in index['Import']
        for model in yaml.safe_load((REPOSITORY / path).read_text())['Models']
    ]
    table = [
        [cell.strip() for cell in line.strip('|').split('|')]
        for line in (REPOSITORY / 'README.md').read_text().splitlines()
        if line.startswith('| `frcnn_')
    ]
    rows = {cells[0].split('`')[1]: cells[2:] for cells in table if len(cells) == 5}
    assert {model['Name'] for model in models} == rows.keys()
    for model in models:
        assert (REPOSITORY / model['Config']).is_file()
        assert (REPOSITORY / model.get('Weights', model['Config'])).is_file()
        (result,) = model['Results']
        figures = [f'{value / 100:.3f}' for value in result['Metrics'].values()]
        assert figures == [cell.split()[0] for cell in rows[model['Name']]]
