"""Files and errors as Apache, busybox and Go's file server give them."""

import pytest

from netlab.workloads import httpd
from netlab.workloads.httpd import APACHE, BUSYBOX, GO, answer
from tests.workloads.asking import get


@pytest.fixture
def root(tmp_path):
    (tmp_path / "index.html").write_text("first")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.css").write_text("x")
    return str(tmp_path)


@pytest.mark.parametrize(("style", "path", "code", "part"), [
    (APACHE, "/", 200, "first"), (APACHE, "/sub/a.css", 200, "x"), (APACHE, "/sub/", 200, '<a href="a.css">'),
    (APACHE, "/no", 404, "<p>The requested URL was not found on this server.</p>"),
    (APACHE, "/sub", 301, "Moved Permanently"), (APACHE, "/../../../../etc/passwd", 404, "Not Found"),
    (BUSYBOX, "/", 200, "first"), (BUSYBOX, "/sub/", 404, "404 Not Found"),
    (BUSYBOX, "/no", 404, "<HTML><HEAD><TITLE>404 Not Found</TITLE></HEAD>"),
    (GO, "/sub/", 200, '<a href="a.css">'), (GO, "/no", 404, "404 page not found\n"),
])
def test_what_a_path_gets(root, style, path, code, part):
    found = answer(get(path), root, style)
    body = found.body if isinstance(found.body, str) else found.body.decode()
    assert found.code == code
    assert part in body


def test_the_server_says_its_name_and_a_files_kind(root):
    found = answer(get("/sub/a.css"), root, APACHE)
    assert (found.content_type, dict(found.headers)["Server"]) == ("text/css", "Apache/2.4.62 (Unix)")


@pytest.mark.parametrize(("style", "method", "code"), [
    (APACHE, "POST", 200), (APACHE, "PUT", 405), (APACHE, "OPTIONS", 200), (BUSYBOX, "POST", 501), (GO, "POST", 405),
])
def test_which_methods_a_file_takes(root, style, method, code):
    assert answer(get("/", method=method), root, style).code == code


def test_apache_tells_which_methods_there_are_and_where_a_directory_is(root):
    refused = answer(get("/", method="PUT"), root, APACHE)
    assert "The requested method PUT is not allowed for this URL." in str(refused.body)
    assert dict(refused.headers)["Allow"] == "GET,POST,OPTIONS,HEAD,TRACE"
    assert dict(answer(get("/sub"), root, APACHE).headers)["Location"] == "http://shop:8080/sub/"
    assert dict(answer(get("/sub"), root, BUSYBOX).headers)["Location"] == "/sub/"


@pytest.mark.parametrize(("word", "option"), [
    ("-p8080", "-p=8080"), ("-h/www", "-h=/www"), ("-p", "-p"), ("-fv", "-f"), ("-vf", "-f"), ("-f", "-f"),
    ("-p=80", "-p=80"), ("word", "word"),
])
def test_busyboxs_options_may_stand_together(word, option):
    assert httpd._apart(word) == option


def test_a_directory_that_there_is_not_is_told(capsys):
    assert httpd.main_busybox(["-f", "-h", "/nosuch"]) == 1
    assert capsys.readouterr().out == "httpd: can't change directory to '/nosuch': No such file or directory\n"
