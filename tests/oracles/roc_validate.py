"""Validates RO-Crate folders with roc-validator, with no network: the one document that it would fetch, the JSON-LD context
of RO-Crate 1.1, comes from the package `rocrate`, which carries a copy.

    pip install roc-validator==0.13.0 rocrate==0.13.0
    python roc_validate.py FOLDER...

Prints a line an issue; the exit code is 1 if there is one.
"""

import importlib.resources
import sys

import requests
from rocrate_validator import models, services
from rocrate_validator.utils.http import HttpRequester

URL = "https://w3id.org/ro/crate/1.1/context"


class Carried:
    """Stands before the validator's own requester and answers for the one address."""

    def __init__(self, requester, content):
        self.requester, self.content = requester, content

    def __getattr__(self, name):
        return getattr(self.requester, name)

    def get(self, url, *args, **kwargs):
        if url != URL:
            return self.requester.get(url, *args, **kwargs)
        response = requests.Response()
        response.status_code, response._content = 200, self.content
        response.headers["Content-Type"] = "application/ld+json"
        return response


def main():
    content = (importlib.resources.files("rocrate") / "data" / "ro-crate.jsonld").read_bytes()
    assert URL.encode() in content[:200], "this version of `rocrate` carries another context"
    carried = Carried(HttpRequester(), content)
    HttpRequester.__new__ = lambda cls, *args, **kwargs: carried
    found = 0
    for folder in sys.argv[1:]:
        settings = services.ValidationSettings(
            rocrate_uri=folder,
            profile_identifier="process-run-crate-0.5",
            requirement_severity=models.Severity.REQUIRED,
        )
        result = services.validate(settings)
        for issue in result.get_issues():
            print(f"{folder}: {issue.severity.name} {issue.check.identifier}: {issue.message}")
            found += 1
        print(f"{folder}: {len(result.executed_checks)} checks, {len(result.get_issues())} issues")
    sys.exit(1 if found else 0)


main()
