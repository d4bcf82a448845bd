"""Generated settings in the file's form: valid ones, and hostile strings for every field."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

ports = st.integers(1, 65535)
octet = st.integers(0, 255)
cidrs = st.builds(
    lambda a, b, c, d, prefix: f"{a}.{b}.{c}.{d}/{prefix}",
    octet,
    octet,
    octet,
    octet,
    st.integers(1, 32),
)
interfaces = st.from_regex(r"[a-z][a-z0-9._@-]{0,12}\+?", fullmatch=True)
words = st.text(max_size=40)


def entries(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Both forms of a list entry."""
    long = st.fixed_dictionaries(
        {"value": values},
        optional={"reason": words, "owner": words, "until": st.dates().map(str)},
    )
    return values | long


def lists(values: st.SearchStrategy[Any], most: int = 15) -> st.SearchStrategy[list[Any]]:
    return st.lists(entries(values), max_size=most)


pod_lists = st.fixed_dictionaries(
    {},
    optional={
        "description": words,
        "presets": st.lists(st.sampled_from(["cloud-metadata", "control-plane"]), unique=True),
        "outboundPortExclusionList": lists(ports, 5),
        "inboundPortExclusionList": lists(ports, 5),
        "outboundIPRangeExclusionList": lists(cidrs, 5),
        "outboundIPRangeInclusionList": lists(cidrs, 5),
    },
)
# Programs that need none of the release's files.
switched = st.fixed_dictionaries({"enabled": st.booleans()})
listener = st.fixed_dictionaries({}, optional={"enabled": st.booleans(), "listen": ports})
programs = st.fixed_dictionaries(
    {},
    optional={
        "prometheus": switched,
        "jaeger": st.fixed_dictionaries({"enabled": st.booleans()}, optional={"port": ports}),
        "fluentBit": switched,
        "ingress": st.fixed_dictionaries({}, optional={"replicas": st.integers(1, 9)}),
    },
)
profile_names = st.from_regex(r"[a-z]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)

stacks = st.fixed_dictionaries(
    {},
    optional={
        "traffic": st.fixed_dictionaries(
            {},
            optional={
                "outboundPortExclusionList": lists(ports, 5),
                "inboundPortExclusionList": lists(ports, 5),
                "outboundIPRangeExclusionList": lists(cidrs),
                "outboundIPRangeInclusionList": lists(cidrs),
                "networkInterfaceExclusionList": lists(interfaces),
                "enableEgress": st.booleans(),
                "serviceAccessMode": st.sampled_from(["ip", "domain", "mixed"]),
            },
        ),
        "sidecar": st.fixed_dictionaries(
            {},
            optional={
                "localProxyMode": st.sampled_from(["Localhost", "PodIP"]),
                "enablePrivilegedInitContainer": st.booleans(),
            },
        ),
        "components": programs,
        "ingress": st.fixed_dictionaries(
            {"enabled": st.booleans()},
            optional={"namespaced": st.booleans(), "http": listener, "tls": listener},
        ),
        "annotationProfiles": st.dictionaries(profile_names, pod_lists, max_size=4),
        "releaseAssets": st.just({"source": "existingConfigMap"}),
        "fsmVersion": st.sampled_from(["1.5.1", "1.6.0"]),
        "enrolledNamespaces": st.lists(
            st.fixed_dictionaries(
                {"name": st.from_regex(r"ns-[a-z0-9]{1,20}", fullmatch=True)},
                optional={"create": st.booleans(), "metrics": st.booleans()},
            ),
            max_size=3,
            unique_by=lambda item: item["name"],
        ),
    },
)

# Shell syntax, YAML syntax, path escapes, template syntax, control and foreign characters.
hostile = st.sampled_from(
    [
        "$(id -u)",
        "`id`",
        "; rm -rf /",
        "a && b",
        "EOF\nCOMMIT",
        "\n*filter\n",
        "../../etc/passwd",
        "/etc/passwd",
        "{{ 7 * 7 }}",
        "{% raw %}",
        "a: b",
        "- x",
        "&a *a",
        "!!python/object:os.system",
        "\x00",
        "\x1b[31m",
        "\u202e",
        "\uff0c",
        "' OR 1",
        '"',
        "\\",
        "| cat",
        "> out",
        "${HOME}",
        "10.0.0.0/8 -j ACCEPT",
        "-A OUTPUT",
    ]
) | st.text(min_size=1, max_size=30)
