"""Checks the JSON schema of configs with jsonschema, and configs against it.

    python config_schema.py cases.json

The cases: [{"schema": path, "config": YAML, "valid": true or false}, ...]
"""

import json
import sys

from jsonschema import Draft202012Validator
from ruamel.yaml import YAML


def main():
    with open(sys.argv[1]) as file:
        cases = json.load(file)
    schemas = {}
    for path in {case["schema"] for case in cases}:
        with open(path) as file:
            schemas[path] = json.load(file)
        Draft202012Validator.check_schema(schemas[path])
    print(f"ok {len(schemas)} schemas are valid")
    for case in cases:
        # YAML 1.2, as the command reads it: 1e-4 is a number.
        config = YAML(typ="safe", pure=True).load(case["config"])
        errors = [error.message for error in Draft202012Validator(schemas[case["schema"]]).iter_errors(config)]
        if bool(errors) == case["valid"]:
            sys.exit(f"error: expected valid = {case['valid']} of\n{case['config']}with {case['schema']}: {errors}")
    print(f"ok {len(cases)} configs are told apart")


if __name__ == "__main__":
    main()
