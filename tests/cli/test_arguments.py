import pytest

from netlab.cli.arguments import Command, Option, command_help, parse
from netlab.model.errors import LabError

COMMAND = Command("get", "Show objects.", "get:get", "KIND [NAME]", 1, 2, (
    Option(("-n", "--namespace"), "the namespace", "NAMESPACE"),
    Option(("-f", "--filename"), "a file", "FILE", many=True),
    Option(("-i", "--stdin"), "stdin"),
    Option(("-t", "--tty"), "terminal"),
    Option(("--replicas",), "how many", "NUMBER", convert=int),
    Option(("-o", "--output"), "format", "FORMAT", choices=("json", "yaml")),
))


@pytest.mark.parametrize(("line", "words", "options"), [
    ("pods", ["pods"], {}),
    ("pods web -n a", ["pods", "web"], {"namespace": "a"}),
    ("-na pods", ["pods"], {"namespace": "a"}),
    ("-n=a pods", ["pods"], {"namespace": "a"}),
    ("--namespace=a pods --namespace b", ["pods"], {"namespace": "b"}),
    ("-f a.yaml -f - pods", ["pods"], {"filename": ["a.yaml", "-"]}),
    ("-it pods", ["pods"], {"stdin": True, "tty": True}),
    ("-itn a pods", ["pods"], {"stdin": True, "tty": True, "namespace": "a"}),
    ("pods --stdin=false", ["pods"], {"stdin": False}),
    ("pods --replicas 3", ["pods"], {"replicas": 3}),
    ("pods -- -n", ["pods", "-n"], {}),
])
def test_flags_and_operands_stand_in_any_order(line, words, options):
    got = parse(COMMAND, line.split())
    assert got.words == words
    assert {key: value for key, value in got.options.items() if value is not None} == options


@pytest.mark.parametrize(("line", "message"), [
    ("", "an operand is missing: netlab get KIND [NAME]"),
    ("a b c", "unexpected operand 'c': netlab get KIND [NAME]"),
    ("a --namspace b", 'unknown flag: --namspace (did you mean "--namespace"?)'),
    ("a -x", "unknown shorthand flag: -x"),
    ("a -n", "flag needs an argument: -n NAMESPACE"),
    ("a --replicas many", 'invalid argument "many" for "--replicas" flag: it takes a whole number'),
    ("a -o xml", 'invalid argument "xml" for "--output" flag: must be one of json, yaml'),
    ("a --tty=maybe", 'invalid argument "maybe" for "--tty" flag: it is true or false'),
])
def test_bad_usage_is_exit_code_2_and_says_what_is_wrong(line, message):
    with pytest.raises(LabError) as caught:
        parse(COMMAND, line.split())
    assert (caught.value.message, caught.value.exit_code) == (message, 2)
    assert caught.value.hint == "netlab get --help"


def test_a_program_after_the_dashes_is_left_alone():
    command = COMMAND._replace(name="exec", program=True, most=1)
    got = parse(command, ["-it", "worker", "--", "ls", "-n", "--", "x"])
    assert (got.words, got.program) == (["worker"], ["ls", "-n", "--", "x"])


def test_help_names_every_flag():
    text = command_help(COMMAND)
    for option in COMMAND.options:
        assert all(name in text for name in option.names)
    assert text.startswith("Show objects.\n\nUsage: netlab get KIND [NAME]\n")
