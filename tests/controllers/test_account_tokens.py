import asyncio
from base64 import b64decode

import pytest

from netlab.api.tokens import Issuer
from netlab.controllers.account_tokens import AccountTokens
from netlab.model.errors import ApiError
from tests.api.objects import registry

NAME = "kubernetes.io/service-account.name"


def secret(account="robot"):
    return {"metadata": {"name": "key", "namespace": "default", "annotations": {NAME: account}},
            "type": "kubernetes.io/service-account-token"}


@pytest.fixture
def objects():
    made = registry()
    made.issuer = Issuer(b"k" * 32, "https://kubernetes.default.svc")
    made.create("serviceaccounts", {"metadata": {"name": "robot", "namespace": "default"}})
    return made


def reconciled(objects):
    asyncio.run(AccountTokens(objects, "CA").reconcile())
    return objects.find("secrets", "key", "default")


def test_a_secret_gets_a_token_that_lasts_as_long_as_the_secret(objects):
    objects.create("secrets", secret())
    found = reconciled(objects)
    account = objects.get("serviceaccounts", "robot", "default")
    assert found["metadata"]["annotations"]["kubernetes.io/service-account.uid"] == account["metadata"]["uid"]
    data = {key: b64decode(value).decode() for key, value in found["data"].items()}
    assert (data["ca.crt"], data["namespace"]) == ("CA", "default")
    user = objects.issuer.user(data["token"], objects, now=1e12)
    assert (user.name, user.uid) == ("system:serviceaccount:default:robot", account["metadata"]["uid"])
    assert reconciled(objects) is found
    assert objects.issuer.user(data["token"], objects, now=0, audiences=("elsewhere",)) is None
    objects.delete("secrets", "key", namespace="default")
    assert objects.issuer.user(data["token"], objects, now=0) is None


def test_it_goes_with_its_account_also_when_another_has_the_name(objects):
    objects.create("secrets", secret())
    reconciled(objects)
    objects.delete("serviceaccounts", "robot", namespace="default")
    objects.create("serviceaccounts", {"metadata": {"name": "robot", "namespace": "default"}})
    assert reconciled(objects) is None
    objects.create("secrets", secret("nobody"))
    assert reconciled(objects) is None


@pytest.mark.parametrize(("body", "text"), [
    ({"type": "kubernetes.io/service-account-token"}, f"metadata.annotations[{NAME}]: Required value"),
    ({"type": "kubernetes.io/tls", "stringData": {"tls.crt": "x"}}, "data[tls.key]: Required value"),
    ({"type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": "x"}},
     'data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": invalid character in JSON')])
def test_secrets_have_what_their_type_needs(objects, body, text):
    with pytest.raises(ApiError, match="is invalid") as caught:
        objects.create("secrets", {"metadata": {"name": "s"}} | body)
    assert str(caught.value).endswith(text)
