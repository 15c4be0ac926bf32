"""XML as a tree that `mutated_tree` can change, and XML that is an attack."""

from typing import Any
from xml.sax.saxutils import escape, quoteattr

BILLION_LAUGHS = (
    '<!DOCTYPE a [<!ENTITY l0 "lol">'
    + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    + "]>"
)
QUADRATIC = f'<!DOCTYPE a [<!ENTITY x "{"x" * 50_000}">]>'
OUTSIDE_FILE = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
OUTSIDE_DTD = '<!DOCTYPE a SYSTEM "http://localhost:1/x.dtd">'
PARAMETER = '<!DOCTYPE a [<!ENTITY % x SYSTEM "file:///etc/passwd"> %x;]>'


def element(tag: str, *children: Any, **attributes: str) -> dict[str, Any]:
    """An element whose children are elements, or one text."""
    return {"tag": tag, "attributes": attributes, "children": list(children)}


def to_xml(node: Any) -> str:
    """Whatever became of a tree, as XML; what is no element becomes text."""
    if not isinstance(node, dict) or "tag" not in node:
        return "".join(c for c in escape(str(node)) if c >= " " or c in "\t\n")
    attributes = node.get("attributes")
    written = "".join(
        f" {_name(key)}={quoteattr(str(value))}"
        for key, value in (attributes if isinstance(attributes, dict) else {}).items()
    )
    children = node.get("children")
    inside = "".join(map(to_xml, children if isinstance(children, list) else [children]))
    return f"<{_name(node['tag'])}{written}>{inside}</{_name(node['tag'])}>"


def _name(value: Any) -> str:
    """Mostly as it is: names that XML does not allow have to be refused as well."""
    return str(value)[:100] or "a"
