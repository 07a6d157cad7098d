"""Evaluates SPF with pyspf, an implementation by others, over zones that stand in its input.

Input: a JSON list of cases, each {"host", "mailfrom", "helo", "zonedata": {name: [{type: data} | "TIMEOUT"]}}.
Output: a JSON list of results, each a word of RFC 7208 section 2.6. Argument: the directory of pyspf's spf.py.
"""

import json
import socket
import sys
import types

# pyspf wants a DNS library before it does anything; here nobody asks the DNS.
for name in ("dns", "dns.resolver", "dns.exception", "dns.rdatatype"):
    sys.modules[name] = types.ModuleType(name)
sys.modules["dns"].rdatatype = sys.modules["dns.rdatatype"]
sys.modules["dns.rdatatype"].SPF = 99
sys.path.insert(0, sys.argv[1])
import spf  # noqa: E402

zones = {}


def look_up(name, kind, strict=True, timeout=None):
    """The records of a name, as pyspf's DNS layer gives them: an alias brings along what it points to."""
    for _ in range(9):
        name = name.rstrip(".").lower()
        records = zones.get(name)
        if records is None:
            return
        alias = None
        found = False
        for record in records:
            if record == "TIMEOUT":
                continue
            for listed, data in record.items():
                if listed == kind:
                    found = True
                    yield ((name, kind), wire(kind, data))
                elif listed == "CNAME":
                    alias = data
                    yield ((name, "CNAME"), data)
        if found:
            return
        if "TIMEOUT" in records:
            raise spf.TempError("DNS timeout")
        if alias is None:
            return
        name = alias
    raise spf.TempError("DNS: an alias without end")


def wire(kind, data):
    if kind == "AAAA":
        return bytes(socket.inet_pton(socket.AF_INET6, data))
    if kind == "TXT":
        return (data.encode(),)
    if kind == "MX":
        return tuple(data)
    return data


spf.DNSLookup = look_up


def evaluate(case):
    zones.clear()
    zones.update(case["zonedata"])
    query = spf.query(case["host"], case["mailfrom"], case["helo"], receiver="mx.example.com", strict=True)
    return query.check()[0]


json.dump([evaluate(case) for case in json.load(sys.stdin)], sys.stdout)
