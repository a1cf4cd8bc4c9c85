"""What is installed, and whether it can be imported.

At import this needs nothing but Python, so that it runs where everything else is missing or broken.
"""

import importlib
import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping

from mmdet_digits.checks.finding import Check, Status
from mmdet_digits.repository import REPOSITORY

#: Folder that is imported -> the maintained package, and the upstream ones that own it too.
FAMILIES = {
    'mmcv': ('onedl-mmcv', ('mmcv', 'mmcv-full', 'mmcv-lite')),
    'mmengine': ('onedl-mmengine', ('mmengine', 'mmengine-lite')),
    'mmdet': ('onedl-mmdetection', ('mmdet',)),
}
OPENCV = (
    'opencv-python',
    'opencv-python-headless',
    'opencv-contrib-python',
    'opencv-contrib-python-headless',
)
#: Imported name -> name of its package, where they differ.
PACKAGES = {'cv2': 'opencv-python-headless'} | {
    folder: maintained for folder, (maintained, _) in FAMILIES.items()
}
#: What an import error says -> what that means, and the packages to install again.
SYMPTOMS = (
    (
        r'torchvision::nms|undefined symbol.*(torch|c10|at::)',
        'it was built for another torch',
        ('torch', 'torchvision'),
    ),
    (
        r'libGL|libgthread',
        'opencv-python wants the libraries of a desktop (apt install libgl1 libglib2.0-0), '
        'opencv-python-headless does not',
        ('opencv-python-headless',),
    ),
    (
        r'numpy\.core\.multiarray|_ARRAY_API|numpy\.dtype size changed|compiled using NumPy 1',
        'it was built for another NumPy',
        ('numpy',),
    ),
    (
        r'lib(cu|nv|nccl)\w*\.so',
        'a library of CUDA that comes with torch is not there',
        ('torch', 'torchvision'),
    ),
)


def normalized(name: str) -> str:
    """The name of a package as pip compares it."""
    return re.sub(r'[-_.]+', '-', name).lower()


def read_pins(text: str) -> dict[str, str]:
    """The exact versions in a requirements file, by package."""
    pins = re.findall(r'^([\w.-]+)==([^\s#;]+)', text, re.MULTILINE)
    return {normalized(name): version for name, version in pins}


def installed_versions() -> dict[str, str]:
    """The version of each installed package; where one is there twice, of the one imported."""
    found = reversed(list(importlib.metadata.distributions()))
    return {normalized(d.metadata['Name']): d.version for d in found if d.metadata['Name']}


def pip_command(names: Iterable[str], pins: Mapping[str, str], options: str = '') -> str:
    """The command that installs packages in their pinned versions."""
    requirements = [f'{name}=={pins[name]}' if name in pins else name for name in names]
    return ' '.join(['pip install', *options.split(), *requirements])


def version_tuple(version: str) -> tuple[int, ...]:
    """The numbers that a version begins with; a local part such as ``+cpu`` does not count."""
    return tuple(map(int, re.match(r'\d+(\.\d+)*', version)[0].split('.')))


def fits(version: str, specifiers: str) -> bool:
    """Whether a version is in a range such as ``>=3.11,<3.14``."""
    found = version_tuple(version)
    compare = {
        '>=': lambda wanted: found >= wanted,
        '<=': lambda wanted: found <= wanted,
        '==': lambda wanted: found == wanted,
        '!=': lambda wanted: found != wanted,
        '>': lambda wanted: found > wanted,
        '<': lambda wanted: found < wanted,
    }
    return all(
        compare[operator](version_tuple(wanted))
        for operator, wanted in re.findall(r'(>=|<=|==|!=|>|<)\s*([\d.]+)', specifiers)
    )


def check_python(version: str, requires: str) -> Check:
    """Compare Python's version with the range that the project supports."""
    if fits(version, requires):
        return Check('Python', Status.OK, f'{version}, {sys.executable}')
    return Check(
        'This Python is not one that the project supports.',
        Status.FAIL,
        f'{version}, {sys.executable}',
        requires,
        'create the environment with another: python3.11 -m venv .venv',
    )


def check_versions(
    pins: Mapping[str, str], installed: Mapping[str, str], needed: Iterable[str]
) -> Check:
    """Compare what is installed with the versions known to go together.

    Args:
        pins: version per package, of requirements.txt.
        installed: version per installed package.
        needed: the packages that the project does not run without; the others are tools.
    """
    needed = set(needed)
    missing = [name for name in (*pins, *needed - pins.keys()) if name not in installed]
    other = [
        name for name in pins if name in installed and installed[name].split('+')[0] != pins[name]
    ]
    if not missing and not other:
        return Check('Versions', Status.OK, f'the {len(pins)} packages of requirements.txt')
    lacking = needed.intersection(missing)
    return Check(
        'Packages are missing.' if lacking else 'Packages differ from requirements.txt.',
        Status.FAIL if lacking else Status.WARN,
        ', '.join(
            [f'no {name}' for name in missing] + [f'{name} {installed[name]}' for name in other]
        ),
        ', '.join(f'{name} {pins.get(name, "")}'.strip() for name in missing + other),
        pip_command(missing + other, pins),
    )


def check_torch_pair(
    installed: Mapping[str, str], requires: Iterable[str], pins: Mapping[str, str]
) -> Check:
    """Check that torchvision is the release built for this torch.

    Args:
        installed: version per installed package.
        requires: what torchvision's metadata says it needs, e.g. ``['torch==2.11.0']``.
        pins: version per package, of requirements.txt.
    """
    if not {'torch', 'torchvision'} <= installed.keys():
        return Check('torch with torchvision', Status.WARN, 'not compared: one of them is missing')
    torch, torchvision = installed['torch'], installed['torchvision']
    matches = [re.match(r'torch\s*\(?==\s*([\d.]+)', line) for line in requires]
    wanted = next((match[1] for match in matches if match), None)
    found = f'torch {torch} with torchvision {torchvision}'
    if wanted is None or fits(torch, f'=={wanted}'):
        return Check('torch with torchvision', Status.OK, found)
    return Check(
        'torchvision was built for another torch.',
        Status.FAIL,
        f"{found}; torchvision then fails with 'operator torchvision::nms does not exist'",
        f'torch {wanted} for torchvision {torchvision}',
        pip_command(('torch', 'torchvision'), pins, '--force-reinstall'),
    )


def check_families(installed: Mapping[str, str], pins: Mapping[str, str]) -> Check:
    """Check that no upstream package owns a folder of a maintained one."""
    upstream = [name for _, names in FAMILIES.values() for name in names if name in installed]
    maintained = [name for name, _ in FAMILIES.values()]
    if not upstream:
        there = ', '.join(f'{name} {installed[name]}' for name in maintained if name in installed)
        return Check('mmcv, mmengine, mmdet', Status.OK, there or 'none is installed')
    both = [name for name in maintained if name in installed]
    return Check(
        'Two packages own the same folder.' if both else 'mmcv and mmdet are those of upstream.',
        Status.FAIL,
        ', '.join(f'{name} {installed[name]}' for name in upstream + both),
        ', '.join(maintained) + ' alone: they import under the same names',
        f'pip uninstall -y {" ".join(upstream)}\n'
        + pip_command(maintained, pins, '--force-reinstall --no-deps'),
    )


def check_opencv(installed: Mapping[str, str], pins: Mapping[str, str]) -> Check:
    """Check whether several packages own the folder ``cv2``."""
    found = {name: installed[name] for name in OPENCV if name in installed}
    there = ' and '.join(f'{name} {version}' for name, version in found.items())
    if not found:
        return Check('opencv', Status.WARN, 'none is installed')
    if len(found) == 1:
        return Check('opencv', Status.OK, there)
    if len(set(found.values())) == 1:
        return Check('opencv', Status.OK, f'{there}: the same release, so either may own cv2')
    names = ('opencv-python-headless',)
    return Check(
        'Two releases of opencv own the folder cv2.',
        Status.WARN,
        f'{there}: which one decodes the images depends on the order of installation',
        f'one release, {pins[names[0]]}',
        f'pip uninstall -y {" ".join(found)}\n{pip_command(names, pins)}',
    )


def check_import(module: str) -> Check:
    """Import a module, whatever that may raise."""
    try:
        version = getattr(importlib.import_module(module), '__version__', '')
    except (Exception, SystemExit) as error:  # broken installations raise anything
        return failed_import(module, error)
    return Check(f'import {module}', Status.OK, version or 'works')


def failed_import(module: str, error: BaseException) -> Check:
    """Say why an import failed, and what helps."""
    message = ' '.join(str(error).split())
    folder = (getattr(error, 'name', None) or module).partition('.')[0]
    meaning, packages = '', (PACKAGES.get(folder, folder),)
    for pattern, known_meaning, known_packages in SYMPTOMS:
        if re.search(pattern, message):
            meaning, packages = f'; {known_meaning}', known_packages
            break
    pins = repository_pins()
    known = pins.keys() >= set(packages)
    return Check(
        f'{module} cannot be imported.',
        Status.FAIL,
        f'{type(error).__name__}: {message}{meaning}',
        f'import {module} works',
        pip_command(packages, pins, '--force-reinstall')
        if known
        else 'pip install -r requirements.txt',
    )


def repository_pins() -> dict[str, str]:
    """The pins of this repository's requirements.txt."""
    return read_pins((REPOSITORY / 'requirements.txt').read_text(encoding='utf-8'))


def check_installation() -> list[Check]:
    """Every check of this module that imports nothing."""
    project = tomllib.loads((REPOSITORY / 'pyproject.toml').read_text(encoding='utf-8'))['project']
    pins, installed = repository_pins(), installed_versions()
    requires = importlib.metadata.requires('torchvision') if 'torchvision' in installed else None
    return [
        check_python('{}.{}.{}'.format(*sys.version_info), project['requires-python']),
        check_families(installed, pins),
        check_versions(pins, installed, map(normalized, project['dependencies'])),
        check_torch_pair(installed, requires or (), pins),
        check_opencv(installed, pins),
    ]
