"""What the built-in nginx answers to a configuration, and what it says of a wrong one."""

import os
import threading
from dataclasses import replace
from fnmatch import fnmatch

import pytest

from netlab.workloads import nginx_signals
from netlab.workloads.default_pages import NGINX_WELCOME
from netlab.workloads.http import Response
from netlab.workloads.http_client import fetch
from netlab.workloads.nginx import substitute
from netlab.workloads.nginx_answers import Nginx
from netlab.workloads.nginx_config import Config, read
from netlab.workloads.nginx_pages import version
from netlab.workloads.nginx_syntax import ConfigError
from netlab.workloads.serving import Server
from tests.workloads.asking import ME, get


def configured(text, name="/etc/nginx/conf.d/default.conf", **others):
    files = {name: text} | others if text else others
    return read(lambda pattern: [(path, files[path]) for path in sorted(files) if fnmatch(path, pattern)])


def answer(text, request):
    return Nginx(configured(text), ME).answer(request)


def shown(text, target="/", *headers, port=80, **how):
    found = answer(text, get(target, *headers, port=port, **how))
    body = found.body if isinstance(found.body, str) else found.body.decode()
    return found.code, body


HELLO = 'server { listen 80; location / { default_type text/plain; return 200 "hello $hostname\\n"; } }'
PATHS = """
server {
    listen 80;
    location / { return 200 prefix; }
    location /images/ { return 200 images; }
    location ^~ /static/ { return 200 static; }
    location = /exact { return 200 exact; }
    location ~ \\.php$ { return 200 php; }
    location ~* \\.(GIF|png)$ { return 200 "picture $1"; }
}
"""
NAMES = """
server { listen 80 default_server; server_name _; return 200 default; }
server { listen 80; server_name shop.example shop; return 200 shop; }
server { listen 80; server_name *.wild.example; return 200 wild; }
server { listen 8080; return 200 other-port; }
"""
MORE = """
server {
    listen 80;
    return 301 https://$host$request_uri;
}
server {
    listen 81;
    rewrite ^/old/(.*)$ /new/$1 last;
    rewrite ^/gone$ https://elsewhere/ permanent;
    location /new/ { return 200 "new: $uri $args"; }
    location /vars { return 200 "$remote_addr $request_method $http_user_agent $arg_b ${scheme}://$host:$server_port"; }
    location /teapot { return 418; }
    location /none { return 204; }
    location /status { stub_status; }
}
"""


@pytest.mark.parametrize(("text", "target", "headers", "port", "expected"), [
    (HELLO, "/", (), 80, (200, "hello web-1\n")),
    (PATHS, "/", (), 80, (200, "prefix")), (PATHS, "/images/a", (), 80, (200, "images")),
    (PATHS, "/images/a.png", (), 80, (200, "picture png")), (PATHS, "/static/a.png", (), 80, (200, "static")),
    (PATHS, "/exact", (), 80, (200, "exact")), (PATHS, "/exact/", (), 80, (200, "prefix")),
    (PATHS, "/a.php", (), 80, (200, "php")), (PATHS, "/a.PHP", (), 80, (200, "prefix")),
    (NAMES, "/", (("Host", "shop"),), 80, (200, "shop")),
    (NAMES, "/", (("Host", "SHOP.example:80"),), 80, (200, "shop")),
    (NAMES, "/", (("Host", "a.wild.example"),), 80, (200, "wild")),
    (NAMES, "/", (("Host", "x"),), 80, (200, "default")),
    (NAMES, "/", (("Host", "shop"),), 8080, (200, "other-port")),
    (MORE, "/old/x?y=1", (), 81, (200, "new: /new/x y=1")),
    (MORE, "/vars?b=2", (), 81, (200, "10.244.2.9 GET curl/8.5.0 2 http://shop:81")),
    (MORE, "/none", (), 81, (204, "")),
    (MORE, "/status", (), 81, (200, "Active connections: 1 \nserver accepts handled requests\n 1 1 1 \n"
                                    "Reading: 0 Writing: 1 Waiting: 0 \n")),
])
def test_which_location_answers_and_with_what(text, target, headers, port, expected):
    assert shown(text, target, *headers, port=port) == expected


@pytest.mark.parametrize(("target", "port", "code", "location"), [
    ("/a?b", 80, 301, "https://shop/a?b"), ("/gone", 81, 301, "https://elsewhere/"),
])
def test_redirects(target, port, code, location):
    found = answer(MORE, get(target, port=port))
    assert (found.code, dict(found.headers)["Location"]) == (code, location)


@pytest.fixture
def site(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "empty").mkdir()
    (tmp_path / "index.html").write_text("first page")
    (tmp_path / "docs" / "index.htm").write_text("docs")
    (tmp_path / "a.json").write_text("{}")
    (tmp_path / "missing.html").write_text("not here")
    os.symlink("/nowhere", tmp_path / "broken")
    return f"""server {{ listen 80; root {tmp_path}; index index.html index.htm;
        add_header X-Test $hostname;
        location /app/ {{ try_files $uri /index.html; }}
        location /list/ {{ alias {tmp_path}/empty/; autoindex on; }}
        location /strict/ {{ error_page 404 /missing.html; }} }}"""


@pytest.mark.parametrize(("target", "expected"), [
    ("/", (200, "first page")), ("/index.html", (200, "first page")), ("/docs/", (200, "docs")),
    ("/a.json", (200, "{}")), ("/app/any/thing", (200, "first page")), ("/strict/x", (404, "not here")),
])
def test_files_are_given(site, target, expected):
    assert shown(site, target) == expected


@pytest.mark.parametrize(("target", "code", "title"), [
    ("/nosuch", 404, "404 Not Found"), ("/../../etc/passwd", 404, "404 Not Found"), ("/broken", 404, "404 Not Found"),
    ("/empty/", 403, "403 Forbidden"), ("/docs", 301, "301 Moved Permanently"), ("/list/", 200, "Index of /list/"),
])
def test_what_is_not_a_file_gets_a_page(site, target, code, title):
    found, body = shown(site, target)
    assert found == code
    assert f"<h1>{title}</h1>" in body


def test_only_get_and_head_are_for_files(site):
    assert shown(site, "/", method="POST")[0] == 405


def test_a_file_has_type_date_tag_and_the_servers_headers(site):
    found = answer(site, get("/a.json", port=80))
    headers = dict(found.headers)
    assert (found.content_type, headers["X-Test"], headers["Server"]) == ("application/json", "web-1", "nginx/1.27.3")
    assert answer(site, get("/a.json", ("If-None-Match", headers["ETag"]), port=80)).code == 304


def test_the_log_has_the_images_format(site, capsys):
    shown(site, "/", ("Referer", "http://r/"))
    assert capsys.readouterr().out.rstrip().endswith('"GET / HTTP/1.1" 200 10 "http://r/" "curl/8.5.0" "-"')
    shown(site, "/nosuch")
    error, access = capsys.readouterr().out.splitlines()
    assert "[error]" in error
    assert 'failed (2: No such file or directory), client: 10.244.2.9, ' in error
    assert 'request: "GET /nosuch HTTP/1.1", host: "shop:8080"' in error
    assert access.startswith("10.244.2.9 - - [")


@pytest.mark.parametrize(("text", "message"), [
    ("server { listen 80 }", 'unexpected "}" in /etc/nginx/conf.d/default.conf:1'),
    ("server {\nlisten 80;\n", 'unexpected end of file, expecting "}" in /etc/nginx/conf.d/default.conf:2'),
    ("listen 80", 'unexpected end of file, expecting ";" or "}" in /etc/nginx/conf.d/default.conf:1'),
    ("}", 'unexpected "}" in /etc/nginx/conf.d/default.conf:1'),
    ("server { listen 99999; }", 'invalid port in "99999" of the "listen" directive in '
                                 "/etc/nginx/conf.d/default.conf:1"),
    ("upstream u { }", "no servers are inside upstream in /etc/nginx/conf.d/default.conf:1"),
    ("server { location / { proxy_pass backend; } }",
     "invalid URL prefix in /etc/nginx/conf.d/default.conf:1"),
    ("include /no/file;",
     'open() "/no/file" failed (2: No such file or directory) in /etc/nginx/conf.d/default.conf:1'),
])
def test_a_wrong_configuration_is_refused_in_nginxs_words(text, message):
    with pytest.raises(ConfigError) as refusal:
        configured(text)
    assert str(refusal.value) == message


def test_without_files_it_is_the_images_own():
    assert [(server.listen, server.names) for server in configured("").servers] == \
        [(((80, True, False),), ("localhost",))]
    assert "<title>Welcome to nginx!</title>" in NGINX_WELCOME


def test_a_whole_configuration_replaces_all_and_includes_the_others():
    main = ("events { } http { include mime.types; include /etc/nginx/conf.d/*.conf;"
            " server { listen 9000; return 200 a; } }")
    found = read(lambda pattern: {"/etc/nginx/nginx.conf": [("/etc/nginx/nginx.conf", main)],
                                  "/etc/nginx/conf.d/*.conf": [("/etc/nginx/conf.d/b.conf", NAMES)]}[pattern])
    assert sorted({port for server in found.servers for port, _, _ in server.listen}) == [80, 8080, 9000]


@pytest.mark.parametrize(("tag", "shown"), [
    ("1.14.2", "1.14.2"), ("1.27", "1.27.0"), ("1.25.3-alpine", "1.25.3"), ("1.26-alpine", "1.26.0"),
    ("latest", "1.27.3"), ("alpine", "1.27.3"), ("0.8", "1.27.3"),
])
def test_nginx_has_the_version_of_its_tag(tag, shown):
    assert version(tag) == shown


def test_an_error_is_nginxs_own_of_its_version():
    found = Nginx(configured("server { listen 80; return 405; }"), replace(ME, tag="1.14.2")).answer(get(port=80))
    assert found.render(head_only=True, keep_alive=True).startswith(b"HTTP/1.1 405 Not Allowed\r\n")
    assert ("Server", "nginx/1.14.2") in found.headers
    assert "<center>nginx/1.14.2</center>" in str(found.body)


def test_a_signal_without_a_server_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(nginx_signals, "PID", tmp_path / "nginx.pid")
    assert nginx_signals.send("reload") == 1
    assert nginx_signals.send("dance") == 1
    assert capsys.readouterr().err == (
        'nginx: [error] open() "/run/nginx.pid" failed (2: No such file or directory)\n'
        'nginx: invalid option: "-s dance"\n')


def test_a_running_server_listens_on_one_port_more():
    server = Server()
    server.http(0, lambda request: Response("first"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        server.http(0, lambda request: Response("second"))
        bodies = [fetch("127.0.0.1", port, "/").body for port in server.ports()]
        assert bodies == [b"first", b"second"]
    finally:
        server.stop()
        thread.join(5)


def test_hosts_of_proxy_pass_must_be_known_at_the_start():
    found = configured("upstream b { server one:81; server two backup; }\n"
                       "server { location / { proxy_pass http://b; }\nlocation /x { proxy_pass http://other/y; } }")
    assert found.upstreams == (("b", ("one:81",)),)
    assert found.proxied == (("one:81", "/etc/nginx/conf.d/default.conf:2"),
                             ("other", "/etc/nginx/conf.d/default.conf:3"))


def test_what_has_no_effect_is_told():
    assert configured("server { location / { fastcgi_pass a:9000; } }").warnings == (
        '"fastcgi_pass" has no effect in netlab\'s nginx in /etc/nginx/conf.d/default.conf:1',)
    assert Config(()).warnings == ()


def test_templates_take_what_the_environment_has_and_leave_nginxs_own():
    assert substitute("listen ${PORT}; set $host ${NO};", {"PORT": "81"}) == "listen 81; set $host ${NO};"
