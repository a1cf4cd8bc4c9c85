"""Checkpoints whose pickle would run code, which then writes a file, or is not what it says."""

import pickle
import tarfile
from io import BytesIO

import numpy as np
from mmengine.config import Config, ConfigDict
from pickles import (
    PROTO,
    archive,
    built,
    call,
    checkpoint,
    fetched,
    legacy,
    listed,
    mapping,
    name,
    new,
    number,
    plain,
    saved,
    sequence,
    storage,
    stored,
    tensor,
    text,
)

CANARY = 'canary'
PYTHON = f"open({CANARY!r}, 'w').close()"
SHELL = f'echo > {CANARY}'
EXEC = call(name('builtins', 'exec'), text(PYTHON))
HISTORY = name('mmengine.logging.history_buffer', 'HistoryBuffer')
GETATTR = name('builtins', 'getattr')
ENCODE = name('_codecs', 'encode')
DTYPE = call(name('numpy', 'dtype'), text('f8'), b'\x89', b'\x88')
RECONSTRUCT = name('numpy._core.multiarray', '_reconstruct')
ARRAY = call(RECONSTRUCT, name('numpy', 'ndarray'), sequence(number(0)), plain(b'b'))


class Reduced:
    """Pickled, it is a call."""

    def __init__(self, function, *arguments) -> None:
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def calls() -> dict[str, bytes]:
    """Calls that write the file, by what is called; they do, if they are let."""
    system = call(GETATTR, call(name('builtins', '__import__'), text('os')), text('system'))
    partial = call(name('functools', 'partial'), name('builtins', 'exec'), text(PYTHON))
    namespace = call(name('types', 'SimpleNamespace'))
    code = call(name('builtins', 'compile'), text(PYTHON), text('x'), text('exec'))
    inner = plain(pickle.dumps(Reduced(exec, PYTHON), 2))
    return {
        'os.system': call(name('os', 'system'), text(SHELL)),
        'posix.system': call(name('posix', 'system'), text(SHELL)),
        'os.popen': call(call(GETATTR, call(name('os', 'popen'), text(SHELL)), text('read'))),
        'os.open': call(name('os', 'open'), text(CANARY), number(64)),
        'os.mkdir': call(name('os', 'mkdir'), text(CANARY)),
        'subprocess.call': call(name('subprocess', 'call'), listed(*map(text, ('touch', CANARY)))),
        'subprocess.Popen': call(
            GETATTR,
            call(name('subprocess', 'Popen'), listed(*map(text, ('touch', CANARY)))),
            text('wait'),
        )
        + b')R',
        'builtins.eval': call(name('builtins', 'eval'), text(PYTHON)),
        'builtins.exec': EXEC,
        '__builtin__.eval': call(name('__builtin__', 'eval'), text(PYTHON)),
        'builtins.open': call(name('builtins', 'open'), text(CANARY), text('w')),
        'builtins.getattr': call(system, text(SHELL)),
        'builtins.map': call(
            name('builtins', 'list'),
            call(name('builtins', 'map'), name('builtins', 'exec'), listed(text(PYTHON))),
        ),
        'functools.partial': call(partial),
        'functools.reduce': call(
            name('functools', 'reduce'),
            name('builtins', 'exec'),
            listed(text(PYTHON), b'}'),
        ),
        'operator.methodcaller': call(
            call(name('operator', 'methodcaller'), text('touch')),
            call(name('pathlib', 'Path'), text(CANARY)),
        ),
        'operator.attrgetter': call(
            call(
                call(name('operator', 'attrgetter'), text('system')),
                call(name('importlib', 'import_module'), text('os')),
            ),
            text(SHELL),
        ),
        'pathlib.Path.touch': call(
            call(name('operator', 'attrgetter'), text('touch')),
            call(name('pathlib', 'Path'), text(CANARY)),
        )
        + b')R',
        'pickle.loads': call(name('pickle', 'loads'), inner),
        '_pickle.loads': call(name('_pickle', 'loads'), inner),
        'torch.load': call(
            name('torch.storage', '_load_from_bytes'),
            plain(saved(Reduced(exec, PYTHON))),
        ),
        'numpy.save': call(name('numpy', 'save'), text(CANARY), number(1)),
        'numpy.memmap': call(
            name('numpy', 'memmap'), text(CANARY), text('u1'), text('w+'), number(0), number(1)
        ),
        'shutil.copyfile': call(name('shutil', 'copyfile'), text('/dev/null'), text(CANARY)),
        'timeit.timeit': call(name('timeit', 'timeit'), text('pass'), text(PYTHON)),
        'cProfile.run': call(name('cProfile', 'run'), text(PYTHON), text('/dev/null')),
        'runpy._run_code': call(name('runpy', '_run_code'), code, b'}'),
        'types.FunctionType': call(call(name('types', 'FunctionType'), code, b'}')),
        'logging.FileHandler': call(name('logging', 'FileHandler'), text(CANARY)),
        'mmengine.Config.fromstring': call(
            call(GETATTR, name('mmengine.config', 'Config'), text('fromstring')),
            text(PYTHON),
            text('.py'),
        ),
        'mmengine.dump': call(name('mmengine.fileio', 'dump'), b'}', text(f'{CANARY}.json')),
        'mmengine.put_text': call(name('mmengine.fileio', 'put_text'), text('x'), text(CANARY)),
        'torch.hub.download': call(
            name('torch.hub', 'download_url_to_file'), text('file:///dev/null'), text(CANARY)
        ),
        'torch.save': call(name('torch', 'save'), number(1), text(CANARY)),
        'torch._rebuild_from_type_v2': call(
            name('torch._tensor', '_rebuild_from_type_v2'),
            name('builtins', 'exec'),
            name('builtins', 'type'),
            sequence(text(PYTHON)),
            b'}',
        ),
        'copyreg._reconstructor': call(
            name('copyreg', '_reconstructor'),
            name('logging', 'FileHandler'),
            name('logging', 'FileHandler'),
            text(CANARY),
        ),
        '__setstate__': built(namespace, mapping({'__setstate__': name('builtins', 'exec')}))
        + text(PYTHON)
        + b'b',
        'a state for slots': built(
            namespace, sequence(b'N', mapping({'__setstate__': name('builtins', 'exec')}))
        )
        + text(PYTHON)
        + b'b',
        'an item of a module': call(
            call(
                GETATTR,
                call(GETATTR, call(name('builtins', '__import__'), text('os')), text('__dict__')),
                text('__getitem__'),
            ),
            text('system'),
        )
        + sequence(text(SHELL))
        + b'R',
    }


def opcodes() -> dict[str, bytes]:
    """The same call by every opcode that can make it."""
    parts = text('builtins') + text('exec') + b'\x93'
    return {
        'GLOBAL': PROTO + EXEC + b'.',
        'STACK_GLOBAL': b'\x80\x04' + parts + sequence(text(PYTHON)) + b'R.',
        'STACK_GLOBAL from the memo': b'\x80\x04'
        + stored(text('builtins'), 0)
        + b'0'
        + fetched(0)
        + text('exec')
        + b'\x93'
        + sequence(text(PYTHON))
        + b'R.',
        'INST': b'(' + text(PYTHON) + b'ibuiltins\nexec\n.',
        'OBJ': b'(' + name('builtins', 'exec') + text(PYTHON) + b'o.',
        'NEWOBJ': PROTO + new(name('subprocess', 'Popen'), text('x')) + b'0' + EXEC + b'.',
        'NEWOBJ_EX': b'\x80\x04' + name('subprocess', 'Popen') + b')}\x92' + b'0' + EXEC + b'.',
        'BUILD': PROTO + built(call(name('types', 'SimpleNamespace')), mapping({'a': EXEC})) + b'.',
        'a dotted name': b'\x80\x04'
        + text('os')
        + text('path.os.system')
        + b'\x93'
        + sequence(text(SHELL))
        + b'R.',
        'before an error': PROTO + EXEC + b'\xff',
    }


def places() -> dict[str, bytes]:
    """The same call in every part of a checkpoint."""
    of_objects = call(name('numpy', 'dtype'), text('O8'), b'\x89', b'\x88')
    state = sequence(number(1), sequence(number(1)), of_objects, b'\x89', listed(EXEC))
    histories = mapping({'loss': built(new(HISTORY), mapping({'_log_history': EXEC}))})
    hub = {'log_scalars': b'}', 'runtime_info': b'}', 'resumed_keys': b'}'}
    pid = sequence(text('storage'), EXEC, text('0'), text('cpu'), number(4)) + b'Q'
    return {
        'alone': PROTO + EXEC + b'.',
        'meta': checkpoint(meta=mapping({'more': EXEC})),
        'meta.cfg': checkpoint(meta=mapping({'cfg': EXEC})),
        'dataset_meta': checkpoint(meta=mapping({'dataset_meta': mapping({'classes': EXEC})})),
        'state_dict': checkpoint(state_dict=mapping({'weight': EXEC})),
        'a name of a weight': checkpoint(state_dict=b'}' + EXEC + number(1) + b's'),
        '_metadata': checkpoint(
            state_dict=built(call(name('collections', 'OrderedDict')), mapping({'_metadata': EXEC}))
        ),
        'optimizer': checkpoint(optimizer=mapping({'state': EXEC})),
        'param_schedulers': checkpoint(param_schedulers=listed(EXEC)),
        'message_hub': checkpoint(message_hub=EXEC),
        'runtime_info': checkpoint(message_hub=mapping({**hub, 'runtime_info': EXEC})),
        'log_scalars': checkpoint(message_hub=mapping({**hub, 'log_scalars': histories})),
        'a storage': checkpoint(state_dict=mapping({'weight': pid})),
        'a persistent id of code': checkpoint(more=EXEC + b'Q'),
        'arguments of a tensor': checkpoint(
            more=call(name('torch._utils', '_rebuild_tensor_v2'), storage(4), EXEC)
        ),
        'hooks of a parameter': checkpoint(
            more=call(name('torch._utils', '_rebuild_parameter'), tensor(4), b'\x88', EXEC)
        ),
        'an array of objects': checkpoint(more=built(ARRAY, state)),
        'a state of an array': checkpoint(more=built(ARRAY, EXEC)),
        'a state of a dtype': checkpoint(more=built(DTYPE, EXEC)),
        'a popped item': checkpoint(more=EXEC + b'0}'),
        'behind a memo': checkpoint(more=stored(EXEC, 70000) + b'0' + fetched(70000)),
    }


def gadgets() -> dict[str, bytes]:
    """Names that MMEngine allows, or torch, used for what they are not meant for."""
    numbers = call(ENCODE, text('\0' * 8), text('latin1'))
    return {
        'HistoryBuffer and getattr': checkpoint(more=history_gadget()),
        'getattr of a function': checkpoint(more=call(GETATTR, GETATTR, text('__globals__'))),
        'a state for HistoryBuffer itself': checkpoint(
            more=built(HISTORY, sequence(b'N', mapping({'__setstate__': GETATTR})))
        ),
        'a state for getattr': checkpoint(
            more=built(GETATTR, sequence(b'N', mapping({'__code__': text('x')})))
        ),
        'a state for OrderedDict': checkpoint(
            more=built(call(name('collections', 'OrderedDict')), mapping({'items': GETATTR}))
        ),
        'an array that is called': checkpoint(more=call(name('numpy', 'ndarray'), number(1 << 40))),
        'a scalar of objects': checkpoint(
            more=call(
                name('numpy._core.multiarray', 'scalar'),
                call(name('numpy', 'dtype'), text('O8')),
                numbers,
            )
        ),
        'a kind of storage': checkpoint(more=storage(4, kind=name('builtins', 'exec'))),
        'a config': checkpoint(meta=mapping({'cfg': plain(Config({'a': 1}))})),
        'a ConfigDict': checkpoint(meta=mapping({'cfg': plain(ConfigDict(a=1))})),
        'another class of arrays': checkpoint(more=plain(np.recarray(1, 'u1'))),
        'a parameter with attributes': checkpoint(
            more=call(
                name('torch._utils', '_rebuild_parameter_with_state'),
                tensor(4),
                b'\x88',
                b'}',
                mapping({'data': GETATTR}),
            )
        ),
    }


def history_gadget() -> bytes:
    """Code by a HistoryBuffer and getattr alone, both of which MMEngine allows.

    A function knows the built-in functions; as the state of a HistoryBuffer they become its
    attributes, from where getattr gets ``eval``. Another one is given a method table whose
    ``update`` is ``eval``, and a state with the text to update it with.
    """
    init = call(GETATTR, HISTORY, text('__init__'))
    first = built(new(HISTORY), call(GETATTR, init, text('__builtins__')))
    evaluate = call(GETATTR, fetched(0), text('eval'))
    table = built(new(HISTORY), mapping({'update': evaluate}))
    methods = mapping(
        {
            '_statistics_methods': table,
            '_set_default_statistics': call(GETATTR, fetched(0), text('dict')),
        }
    )
    second = built(built(new(HISTORY), methods), mapping({'statistics_methods': text(PYTHON)}))
    return listed(stored(first, 0), second)


def sizes() -> dict[str, bytes]:
    """Storages that are not as large as they say."""
    return {
        'a storage of a terabyte': checkpoint(state_dict=mapping({'w': tensor(1 << 38)})),
        'a storage of negative size': checkpoint(state_dict=mapping({'w': tensor(-4)})),
    }


def files() -> dict[str, bytes]:
    """Every case: the content of a ``.pth`` file by its name."""
    tar = BytesIO()
    with tarfile.open(fileobj=tar, mode='w') as file:
        for member in ('storages', 'tensors', 'pickle'):
            content = PROTO + EXEC + b'.'
            info = tarfile.TarInfo(member)
            info.size = len(content)
            file.addfile(info, BytesIO(content))
    cases = {'tar format': tar.getvalue(), 'bare pickle': PROTO + EXEC + b'.'}
    for title, group in (('call', calls()), ('gadget', gadgets()), ('size', sizes())):
        for case, pickled in group.items():
            whole = pickled if pickled.startswith(PROTO) else checkpoint(more=pickled)
            cases[f'{title}: {case}'] = archive(whole)
            cases[f'{title}, legacy format: {case}'] = legacy(whole)
    for title, group in (('opcode', opcodes()), ('place', places())):
        for case, pickled in group.items():
            cases[f'{title}: {case}'] = archive(pickled)
            cases[f'{title}, legacy format: {case}'] = legacy(pickled)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        hostile = {'state_dict': {}, 'meta': Reduced(exec, PYTHON)}
        cases[f'protocol {protocol}'] = saved(hostile, pickle_protocol=protocol)
        cases[f'bare pickle of protocol {protocol}'] = pickle.dumps(hostile, protocol)
    return cases
