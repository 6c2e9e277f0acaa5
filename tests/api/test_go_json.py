import json

import pytest

from netlab.api.go_json import problem


@pytest.mark.parametrize(("text", "words"), [
    ("", "unexpected end of JSON input"), ("{", "unexpected end of JSON input"),
    ('{"a', "unexpected end of JSON input"),
    ("apple", "invalid character 'a' looking for beginning of value"),
    ('{"a":}', "invalid character '}' looking for beginning of value"),
    ("{a:1}", "invalid character 'a' looking for beginning of object key string"),
    ('{"a":1,}', "invalid character '}' looking for beginning of object key string"),
    ('{"a" 1}', "invalid character '1' after object key"),
    ('{"a":[1] "b":2}', "invalid character '\"' after object key:value pair"),
    ('{"a":[1 2]}', "invalid character '2' after array element"),
    ("{} x", "invalid character 'x' after top-level value"),
    ("'a'", "invalid character '\\'' looking for beginning of value"),
    ('"\n"', "invalid character '\\n' in string literal"), ('"\\x"', "invalid character 'x' in string escape code"),
])
def test_a_text_that_is_no_json(text, words):
    with pytest.raises(json.JSONDecodeError) as caught:
        json.loads(text)
    assert problem(caught.value) == words
