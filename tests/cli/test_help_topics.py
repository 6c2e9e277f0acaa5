"""The pages of `netlab help TOPIC`: they say what the program knows, and their examples work."""

import re

import pytest

from netlab.cli.arguments import parse
from netlab.cli.commands import COMMANDS, overview
from netlab.cli.main import main
from netlab.cli.topics import FILES, TOPICS, examples, text


@pytest.mark.parametrize("topic", TOPICS)
def test_a_page_is_printed_and_its_title_is_in_the_overview(capsys, topic):
    assert main(["help", topic]) == 0
    title = f"{topic}: {TOPICS[topic]}"
    assert capsys.readouterr().out.startswith(f"{title}\n\n")
    assert re.search(rf"^  {topic} +{TOPICS[topic]}$", overview(), re.MULTILINE)


def test_every_page_is_a_topic_and_fits_a_terminal():
    assert {file.stem for file in FILES.glob("*.txt")} == set(TOPICS)
    assert not [line for topic in TOPICS for line in text(topic).splitlines() if len(line) > 118]


def test_a_wrong_topic_is_said(capsys):
    assert main(["help", "scenaro"]) == 2
    assert 'error: there is no help on "scenaro" (did you mean "scenario"?)\n' in capsys.readouterr().err


@pytest.mark.parametrize("topic", TOPICS)
def test_every_topic_that_is_named_anywhere_exists(topic):
    said = text(topic) + overview() + "".join(command.details for command in COMMANDS.values())
    assert set(re.findall(r"netlab help ([a-z-]+)", said)) <= {*TOPICS, *COMMANDS}


def commands():
    """Every line of the pages' examples that calls netlab, without its comment."""
    for topic in TOPICS:
        for example in examples(topic):
            yield from (re.sub(r"\s+#.*", "", line) for line in example.splitlines() if line.startswith("netlab "))


@pytest.mark.parametrize("line", list(commands()))
def test_the_commands_of_the_pages_can_be_parsed(line):
    name, *rest = line.split()[1:]
    assert COMMANDS[name].raw or parse(COMMANDS[name], rest)


def kinds(kind):
    return [example for topic in TOPICS for example in examples(topic) if f"\nkind: {kind}\n" in example]


def test_the_lab_file_is_valid_and_has_every_key(tmp_path):
    from netlab.model.lab_balancing import _KEYS as BALANCING
    from netlab.model.lab_internet import HOST_KEYS, KEYS
    from netlab.model.lab_settings import _KEYS
    from netlab.scenario.lab_file import load

    (example,) = kinds("Lab")
    (tmp_path / "lab.yaml").write_text(example)
    settings = load(str(tmp_path / "lab.yaml"))
    assert set(settings.spec) == set(_KEYS)
    assert set(settings.spec["loadBalancer"]) == set(BALANCING)
    assert set(settings.spec["internet"]) == set(KEYS)
    assert not [key for key in HOST_KEYS if key not in text("lab-file")]


def test_what_stands_in_the_lab_file_are_the_defaults():
    """Where its comments do not say otherwise: names, ranges and the mode may be left out."""
    import yaml

    from netlab.model.lab_settings import parse as parse_spec

    (example,) = kinds("Lab")
    spec = yaml.safe_load(example)["spec"]
    plain = {key: value for key, value in spec.items() if key not in ("loadBalancer", "internet", "images", "kubeProxy",
                                                                      "proxyMode")}
    assert parse_spec(plain, name="x") == parse_spec({}, name="x")


@pytest.mark.parametrize("example", kinds("Scenario"))
def test_the_scenarios_are_valid(tmp_path, example):
    from netlab.scenario.scenario import load

    (tmp_path / "scenario.yaml").write_text(example)
    assert load(str(tmp_path / "scenario.yaml")).steps


def test_every_action_and_check_of_scenarios_is_told():
    from netlab.scenario.actions import load
    from netlab.scenario.checks import CHECKS
    from netlab.scenario.http_step import ERRORS
    from netlab.scenario.step import COMMON

    page = text("scenario")
    table = dict(re.findall(r"^  (\w+) +(.*(?:\n {15}.*)*)", page, re.MULTILINE))
    assert set(load()) <= set(table)
    words = set(re.findall(r"\w+(?: \w+)?|\w+", page)) | set(re.findall(r"\w+", page))
    assert not [word for word in (*CHECKS, *COMMON) if word not in words]
    assert not [error for error in ERRORS.values() if error not in re.sub(r"\s+", " ", page)]


def test_the_corefile_is_one_that_the_server_takes():
    from netlab.dns.configuration import configure
    from netlab.dns.plugins import SETUPS
    from netlab.dns.plugins.setup import Surroundings

    (example,) = (example for example in examples("dns") if example.startswith(".:53"))
    files = {"/etc/resolv.conf": "nameserver 192.0.2.1", "/etc/hosts": ""}
    around = Surroundings(read=files.__getitem__, environment={}, files=lambda pattern: ())
    (server,) = configure(example, around).servers
    assert len(server.plugins) >= 8
    assert not [name for name in SETUPS if not re.search(rf"\b{name}\b", text("dns"))]
