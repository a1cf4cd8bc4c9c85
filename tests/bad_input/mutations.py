"""Mutations of a JSON document and of its text, for hypothesis."""

import copy
import json
import math

from hypothesis import strategies as st

#: What may stand where something else is expected; the last ones are the edges of numbers.
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 12),
    st.floats(-2, 300),
    st.text(max_size=4),
    st.lists(st.integers(0, 9), max_size=5),
    st.dictionaries(st.text(max_size=3), st.integers(0, 9), max_size=2),
    st.sampled_from([2**31, 2**53 + 1, 2**63, 10**30, -(2**64), 5e-324, 1e308, -1e308]),
    st.sampled_from([math.nan, math.inf, -math.inf, -0.0, 0.5, '1', '10', 'nan', [[]], {}]),
)


def places(node, path=()):
    """The path of every item of a document, at any depth."""
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in items:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


@st.composite
def mutated(draw, document):
    """A copy of a JSON document in which one to three things are replaced, removed or doubled."""
    document = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        every = list(places(document))
        if not every:
            break
        *path, key = draw(st.sampled_from(every))
        node = document
        for step in path:
            node = node[step]
        _change(draw, node, key)
    return document


def _change(draw, node, key):
    change = draw(st.sampled_from(['replace', 'replace', 'remove', 'double']))
    if change == 'replace':
        node[key] = copy.deepcopy(draw(VALUES))  # samples are shared
    elif change == 'remove':
        del node[key]
    elif isinstance(node, list):
        node.insert(key, copy.deepcopy(node[key]))
    else:
        node[draw(st.text(max_size=4))] = copy.deepcopy(node[key])


@st.composite
def mutated_text(draw, document):
    """The text of a JSON document, cut off, with bytes replaced, or with a key doubled."""
    data = bytearray(json.dumps(document).encode())
    at = draw(st.integers(0, len(data) - 1))
    change = draw(st.sampled_from(['cut', 'replace', 'insert', 'remove', 'double a key']))
    if change == 'cut':
        del data[at:]
    elif change == 'replace':
        data[at : at + 1] = draw(st.binary(min_size=1, max_size=3))
    elif change == 'insert':
        data[at:at] = draw(st.one_of(st.binary(max_size=3), st.sampled_from([b'"', b'{', b']'])))
    elif change == 'remove':
        del data[at : at + draw(st.integers(1, 9))]
    else:
        brace = data.find(b'{', at)
        data[brace + 1 : brace + 1] = b'"bbox": [1, 2, 3, 4], ' if brace >= 0 else b''
    return bytes(data)
