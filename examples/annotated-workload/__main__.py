"""An application of another team: its pods get a profile of the mesh's stack.

The annotations are built where the mesh is declared and checked. When they change there, the next
`pulumi up` here writes them into the pod template, and so restarts the pods that need it.
"""

import pulumi
import pulumi_kubernetes as kubernetes

from fsm_stack import annotate_pods, profile_annotations

config = pulumi.Config()
mesh = pulumi.StackReference(config.require("meshStack"))
annotations = profile_annotations(mesh, config.get("profile") or "redis-client")

# Every workload of this program that is declared from here on, in this namespace.
pulumi.runtime.register_resource_transform(annotate_pods(annotations, namespace="shop"))

LABELS = {"app": "web"}
kubernetes.apps.v1.Deployment(
    "web",
    metadata={"name": "web", "namespace": "shop"},
    spec={
        "selector": {"match_labels": LABELS},
        "template": {
            "metadata": {"labels": LABELS},
            "spec": {"containers": [{"name": "web", "image": "example.com/web:1.0.0"}]},
        },
    },
)
kubernetes.core.v1.Service(
    "web",
    metadata={"name": "web", "namespace": "shop"},
    spec={"selector": LABELS, "ports": [{"port": 80, "target_port": 8080}]},
)

pulumi.export("annotations", annotations)
