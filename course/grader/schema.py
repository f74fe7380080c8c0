"""A validator for the part of JSON Schema that results.schema.json uses."""

import json
import math
from pathlib import Path

KNOWN = {
    "$schema", "title", "$defs", "$ref", "type", "enum", "properties", "required",
    "additionalProperties", "items", "minItems", "minimum", "minLength"
}
TYPES = {"object": dict, "array": list, "string": str, "number": (int, float)}


def load() -> dict:
    return json.loads(Path(__file__).with_name("results.schema.json").read_text(encoding="utf-8"))


def errors(value, schema: dict, root: dict | None = None, where: str = "results") -> list[str]:
    """What is wrong with `value`, in words; empty where it is valid."""
    root = root or schema
    if unknown := schema.keys() - KNOWN:
        raise ValueError(f"the schema uses {unknown}, which this validator does not know")
    if "$ref" in schema:
        return errors(value, root["$defs"][schema["$ref"].rpartition("/")[2]], root, where)
    found = []
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{where} is {value!r}, not one of {schema['enum']}")
    if "type" in schema:
        names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        if not any(isinstance(value, TYPES[name]) for name in names) or isinstance(value, bool):
            return [f"{where} is {value!r}, not of type {' or '.join(names)}"]
    if isinstance(value, float) and not math.isfinite(value):
        found.append(f"{where} is {value}, which is not JSON")
    if isinstance(value, (int, float)) and value < schema.get("minimum", -math.inf):
        found.append(f"{where} is {value}, below {schema['minimum']}")
    if isinstance(value, str) and len(value) < schema.get("minLength", 0):
        found.append(f"{where} is empty")
    if isinstance(value, list):
        if len(value) < schema.get("minItems", 0):
            found.append(f"{where} has {len(value)} items")
        for number, item in enumerate(value):
            found += errors(item, schema.get("items", {}), root, f"{where}[{number}]")
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        found += [
            f"{where} lacks {name}" for name in schema.get("required", ()) if name not in value
        ]
        for name, item in value.items():
            if name in properties:
                found += errors(item, properties[name], root, f"{where}.{name}")
            elif schema.get("additionalProperties") is False:
                found.append(f"{where} has an unknown {name}")
    return found


def trouble(path: Path) -> list[str]:
    """What is wrong with a file of results."""
    try:
        text = path.read_text(encoding="utf-8")
        data = json.loads(text, parse_constant=lambda name: math.nan)
    except (OSError, ValueError) as error:
        return [str(error)]
    schema = load()
    return errors(data, schema)
