import base64
import os
import pwd
import stat

import pytest
import yaml

from netlab.kernel import user_files
from netlab.kernel.user_files import Owner
from netlab.lab import kubeconfig


@pytest.mark.parametrize(("lab", "context"), [("netlab", "netlab"), ("shop", "netlab-shop")])
def test_every_lab_has_a_context_of_its_own(lab, context):
    text = kubeconfig.text(lab, server="https://127.0.0.1:4321", ca=b"CA", token="secret")
    found = yaml.safe_load(text)
    assert found["current-context"] == context
    assert found["clusters"] == [{"name": context, "cluster": {
        "server": "https://127.0.0.1:4321", "certificate-authority-data": base64.b64encode(b"CA").decode()}}]
    assert found["users"] == [{"name": context, "user": {"token": "secret"}}]
    assert found["contexts"] == [{"name": context, "context": {"cluster": context, "user": context}}]


NOBODY = pwd.getpwnam("nobody")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is called by sudo")
@pytest.mark.parametrize(("environment", "uid"), [
    ({}, 0),
    ({"SUDO_UID": str(NOBODY.pw_uid), "SUDO_GID": str(NOBODY.pw_gid), "SUDO_USER": "nobody"}, NOBODY.pw_uid),
    ({"SUDO_UID": str(NOBODY.pw_uid), "SUDO_GID": "0", "SUDO_USER": "nobody"}, 0),
    ({"SUDO_UID": str(NOBODY.pw_uid), "SUDO_GID": str(NOBODY.pw_gid), "SUDO_USER": "root"}, 0),
    ({"SUDO_UID": "4000000", "SUDO_GID": "1", "SUDO_USER": "x"}, 0), ({"SUDO_UID": "x", "SUDO_GID": "1"}, 0),
])
def test_who_called_sudo_is_believed_if_the_machine_knows_him(environment, uid):
    assert user_files.invoking_user(environment | {"HOME": "/root"}).uid == uid


def test_a_file_is_private_from_its_first_byte(tmp_path):
    owner = Owner(os.geteuid(), os.getegid(), tmp_path)
    path = kubeconfig.user_path("shop", tmp_path)
    for text in ("one", "two"):
        user_files.write(owner, path, text)
        assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == (text, 0o600)
    user_files.remember(tmp_path, owner, path)
    user_files.remember(tmp_path, owner, path)
    user_files.remove_remembered(tmp_path)
    assert not path.parent.exists()
    user_files.remove(owner, path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_root_follows_no_link_in_a_home(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, NOBODY.pw_uid, NOBODY.pw_gid)
    for directory in (tmp_path, *tmp_path.parents[:2]):
        os.chmod(directory, 0o755)
    secret = tmp_path / "root"
    secret.mkdir(mode=0o700)
    (secret / "shop.yaml").write_text("root's")
    owner = Owner(NOBODY.pw_uid, NOBODY.pw_gid, home)
    path = kubeconfig.user_path("shop", home)
    path.parent.parent.mkdir(parents=True)
    path.parent.symlink_to(secret)
    with pytest.raises(PermissionError):
        user_files.write(owner, path, "x")
    with pytest.raises(PermissionError):
        user_files.remove(owner, path)
    assert (secret / "shop.yaml").read_text() == "root's"
    path.parent.unlink()
    os.chown(path.parent.parent, NOBODY.pw_uid, NOBODY.pw_gid)
    user_files.write(owner, path, "x")
    assert path.stat().st_uid == NOBODY.pw_uid
