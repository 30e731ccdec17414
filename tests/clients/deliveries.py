"""Every webhook that GitHub's own collection of examples has, signed and delivered: each is taken, understood or
ignored by name, and none is a body that cannot be read. Then the ways a delivery is refused, and delivered again."""

import glob
import hashlib
import hmac
import json
import sys
import uuid

import requests

from table import check, done, until

url, examples, secret = sys.argv[1], sys.argv[2], sys.argv[3]
session = requests.Session()


def deliver(event, body, key=secret, name=None, **headers):
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"X-GitHub-Event": event, "X-GitHub-Delivery": name or str(uuid.uuid4()), **headers}
    if key:
        headers["X-Hub-Signature-256"] = "sha256=" + hmac.new(key.encode(), sent, hashlib.sha256).hexdigest()
    headers["Content-Type"] = "application/json"
    return session.post(f"{url}/github-webhook/", data=sent, headers=headers)


def outcome(name):
    return session.get(f"{url}/api/v1/deliveries/github:{name}").json().get("outcome")


sent = {}
for index in sorted(glob.glob(f"{examples}/*/index.json")):
    for kind in json.load(open(index, encoding="utf-8")):
        if kind["name"] not in ("push", "create", "delete", "ping", "pull_request"):
            kind["examples"] = kind["examples"][:1]
        for body in kind["examples"]:
            name = str(uuid.uuid4())
            answer = deliver(kind["name"], body, name=name)
            check(answer.status_code == 200, f"{kind['name']}: {answer.status_code} {answer.text}")
            sent[name] = (kind["name"], body)
check(len(sent) > 200, f"only {len(sent)} examples: the collection is not whole")


def outcomes():
    rows = session.get(f"{url}/api/v1/deliveries?limit=1000").json()
    told = {row["id"].removeprefix("github:"): row["outcome"] for row in rows}
    return told if all(told.get(name) for name in sent) else None


all_told = until("all outcomes", outcomes)
unread = []
for name, (event, body) in sent.items():
    told = all_told[name]
    expected = {
        "ping": "ping",
        "create": "ignored: the tag simple-tag",
        "delete": "ignored: the tag simple-tag was deleted",
        "pull_request": "ignored: no multibranch project follows the repository of pull request ",
    }.get(event)
    if expected is not None and not told.startswith(expected):
        unread.append((event, told))
    if event == "push":
        branch = body["ref"].startswith("refs/heads/") and not body["deleted"]
        if branch != (" is at " in told):
            unread.append((event, told))
    if "cannot be read" in told:
        unread.append((event, told))
check(not unread, f"not understood: {unread[:5]}")

# Refused, and not on disk.
ping = {"zen": "Keep it logically awesome."}
check(deliver("ping", ping, key=None).status_code == 401, "no signature")
check(deliver("ping", ping, key="another secret of 16").status_code == 401, "a wrong one")
sha1 = "sha1=" + hmac.new(secret.encode(), json.dumps(ping).encode(), hashlib.sha1).hexdigest()
check(deliver("ping", ping, key=None, **{"X-Hub-Signature": sha1}).status_code == 401, "SHA-1 alone is not enough")
check(session.post(f"{url}/github-webhook/", data=b"{}").status_code in (200, 401), "no header at all")

# Once, twice, and again on purpose.
name = str(uuid.uuid4())
check(deliver("ping", ping, name=name).text == "recorded\n", "recorded")
check("duplicate" in deliver("ping", ping, name=name).text, "the same id is the same delivery")
until("an outcome", lambda: outcome(name))
row = session.get(f"{url}/api/v1/deliveries/github:{name}").json()
check(json.loads(row["payload"]) == ping and row["event"] == "ping", f"a delivery with its body: {row}")
listed = session.get(f"{url}/api/v1/deliveries").json()
check(any(one["id"] == f"github:{name}" for one in listed), "it is in the list")
again = session.post(f"{url}/api/v1/deliveries/github:{name}/redeliver", json={})
check(again.status_code == 202, f"again: {again.status_code} {again.text}")
check(until("the same outcome", lambda: outcome(name)) == "ping", "carried out again")
check(session.post(f"{url}/api/v1/deliveries/github:absent/redeliver", json={}).status_code == 404, "no such delivery")
done(200)
