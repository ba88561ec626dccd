"""Why manifests are as they are: comments by the object's kind and component, and by the path of a key.

An item of a list is found by its name, or else by its number. A path that an object does not have is left out.
"""

from __future__ import annotations

from typing import Any, Final

_POD: Final = {
    "terminationGracePeriodSeconds": "What a stopped worker gets: the tasks' own grace, and time to requeue the rest.",
    "automountServiceAccountToken": "Workers do not talk to Kubernetes.",
    "enableServiceLinks": "A Service called rabbitmq would put RABBITMQ_PORT into the environment.",
    "securityContext": "All that Pod Security's level 'restricted' asks for.",
    "initContainers[requirements]": "Every pod downloads these at each start. With many workers an image is better.",
    "containers[worker].workingDir": "The files that the command names are here, by the paths by which it names them.",
    "containers[worker].env": "No passwords here: they are files, which child processes and `kubectl describe` do not show.",
    "containers[worker].readinessProbe": "Ready once a child process can take tasks and the broker is there.",
    "containers[worker].livenessProbe": "Fails where a new worker would do better: tasks are ready, slots free, and for a "
    "minute none has come. A broker that is away makes no worker fail. Who is stopped for it requeues what it has.",
    "containers[worker].resources.limits": "Memory is as requested, so that it is there; no limit of CPU, since "
    "throttling delays heartbeats.",
}
_POLICY: Final = {
    "podFailurePolicy.rules": "The first rule that fits decides.",
    "podFailurePolicy.rules[0]": "An eviction, a drained node, a preemption: no failure.",
    "podFailurePolicy.rules[1]": "Exit code 75, stopped with work left: no failure, the worker is replaced.",
    "podFailurePolicy.rules[2]": "Exit code 78, can never work (the app does not import, the broker refuses us): no "
    "further tries.",
    "podFailurePolicy.rules[3]": "Requirements that do not install for one worker install for none.",
    "activeDeadlineSeconds": "The only thing that ends a Job whose pods never start.",
    "ttlSecondsAfterFinished": "Long enough to read the logs, which go with the Job.",
}


def _under(prefix: str, comments: dict[str, str]) -> dict[str, str]:
    return {f"{prefix}.{path}": text for path, text in comments.items()}


_WORKER: Final = {
    "": "The workers. Whether a run is done, the queue says, not this Job: it is only capacity.",
    "metadata.labels.kueue.x-k8s.io/queue-name": "Kueue holds the Job back until there is room, and suspends it by itself. "
    "It is admitted whole, because maxFailedIndexes would not follow a partial admission.",
    "spec.completionMode": "A slot for each worker. A slot is done when its worker found the queue drained; a lost "
    "worker is replaced until then.",
    "spec.completions": "To resize, change completions and parallelism together, and keep maxFailedIndexes below them.",
    "spec.backoffLimitPerIndex": "Crashes that a slot may have; the pause before its next try grows with its own alone.",
    **_under("spec", _POLICY),
    **_under("spec.template.spec", _POD),
}

_SCHEDULE: Final = {
    "": "Runs the batch again and again. Its pod is `warrener k8s submit`: it starts the workers' Job, publishes, waits and "
    "collects. It runs no code of the app.",
    "spec.timeZone": "Without it the clock is that of the cluster's controllers.",
    "spec.concurrencyPolicy": "One run at a time: as long as one goes on, the next is left out.",
    "spec.startingDeadlineSeconds": "A run that could not begin in time, since the controller was down, begins up to an hour late.",
    "spec.successfulJobsHistoryLimit": "Runs that are kept with their logs, where each one's report is.",
    "spec.jobTemplate.spec.backoffLimit": "The broker or the API server may be away; a new pod goes on where the last one was.",
    "spec.jobTemplate.spec.podFailurePolicy.rules": "The first rule that fits decides.",
    "spec.jobTemplate.spec.podFailurePolicy.rules[0]": _POLICY["podFailurePolicy.rules[0]"],
    "spec.jobTemplate.spec.podFailurePolicy.rules[1]": "Exit code 75, it was stopped: no failure, the next pod goes on.",
    "spec.jobTemplate.spec.podFailurePolicy.rules[2]": "Exit code 1, tasks have failed, and 2, something must be mended: the run "
    "has failed, and trying again does not help.",
    "spec.jobTemplate.spec.activeDeadlineSeconds": "For the whole run.",
    **_under(
        "spec.jobTemplate.spec.template.spec",
        {
            **_POD,
            "automountServiceAccountToken": "It makes the workers' Job.",
            "volumes[data]": "Only this pod has it, so that a volume that is on one node does not hold all workers there.",
        },
    ),
}

COMMENTS: Final[dict[str, dict[str, str]]] = {
    "Job worker": _WORKER,
    "Job check": {
        "": "Imports the app once, so that a typo fails here and not in every worker.",
        "spec.backoffLimit": "What does not import now will not import later.",
        "spec.podFailurePolicy.rules[0]": _POLICY["podFailurePolicy.rules[0]"],
        **_under("spec.template.spec", _POD),
    },
    "Job setup": {
        "": "Creates the queue, and a user for each part with the permissions of that part. It can be run again: delete "
        "it, then apply it anew.",
        "spec.backoffLimit": "The broker may not be up yet.",
        "spec.podFailurePolicy.rules[0]": _POLICY["podFailurePolicy.rules[0]"],
        "spec.podFailurePolicy.rules[1]": "Exit code 2, asked for what cannot be: no further tries.",
        **_under("spec.template.spec", _POD),
    },
    "ConfigMap code": {
        "": "The app's code. Its name changes with its content, so a Job never sees other code than it began with.",
    },
    "NetworkPolicy worker": {
        "": "Prometheus may ask a worker for its numbers, wherever in the cluster it runs; nobody calls a worker for more.",
        "spec.egress": "DNS, the broker, and the networks that were asked for; a broker that existed before must be among "
        "these.",
    },
    "ScaledJob worker": {
        "": "Starts workers while there are tasks. For a queue that stands; never together with a Job on the same queue.",
        "spec.maxReplicaCount": "Workers at most.",
        "spec.rollout": "Without this, KEDA deletes running Jobs whenever this object is changed.",
        **_under("spec.jobTargetRef", _POLICY),
        "spec.jobTargetRef.backoffLimit": "KEDA starts the next worker. It has no back-off: pause it with the annotation "
        "autoscaling.keda.sh/paused if workers fail at once.",
        **_under("spec.jobTargetRef.template.spec", _POD),
        "spec.triggers[0].metadata.protocol": "The management API counts all tasks, also those being worked on; AMQP sees "
        "only those that wait, and KEDA would start too few workers.",
        "spec.triggers[0].metadata.value": "Tasks that one worker is started for; it goes on for as long as there are any.",
    },
    "CronJob schedule": _SCHEDULE,
    "Deployment page": {
        "": "The page of `warrener ui`, which only shows: its user may look at the queue and nothing else. Its link, with the token that it "
        "asks for, is in its log; open it through a port-forward to its port.",
        "spec.strategy": "Each start has a token of its own.",
        "spec.template.spec.automountServiceAccountToken": "The page does not talk to Kubernetes.",
        "spec.template.spec.enableServiceLinks": _POD["enableServiceLinks"],
        "spec.template.spec.securityContext": _POD["securityContext"],
        "spec.template.spec.containers[worker].env": "No passwords here: they are files, which `kubectl describe` does not show.",
    },
    "NetworkPolicy page": {
        "": "Nobody in the cluster calls the page: a port-forward comes from its node. For an Ingress, let its pods in here, and give the page "
        "--behind-proxy.",
    },
    "Role schedule": {
        "": "What the CronJob's pod may do: start, watch and replace the workers' Job. Whoever may create Jobs can have them mount "
        "any Secret of the namespace.",
    },
    "ConfigMap schedule": {"": "What each run's workers are made of."},
    "TriggerAuthentication watcher": {"": "The watcher may look at the queue, and nothing else."},
    "StatefulSet broker": {
        "": "RabbitMQ as one node, for development and small runs: it survives a restart, but not the loss of its "
        "volume. For more use --rabbitmq operator, or a broker that exists.",
        "spec.podManagementPolicy": "A pod that does not start must not be in the way of its own mending.",
        "spec.persistentVolumeClaimRetentionPolicy": "Deleting the broker keeps its tasks, results and failures.",
        "spec.template.metadata.annotations.warrener/config": "Changes with the settings, so that the node is restarted.",
        "spec.template.spec.terminationGracePeriodSeconds": "Queues are written out before the node ends.",
        "spec.template.spec.automountServiceAccountToken": "One node needs no peer discovery.",
        "spec.template.spec.enableServiceLinks": _POD["enableServiceLinks"],
        "spec.template.spec.securityContext": _POD["securityContext"],
        "spec.template.spec.containers[rabbitmq].resources.limits": "Memory is as requested: a broker is the last that "
        "should be out of it.",
        "spec.template.spec.containers[rabbitmq].startupProbe": "The port opens once users and queues are there. There is "
        "no liveness probe, on purpose: restarting a busy broker makes it busier.",
        "spec.template.spec.containers[rabbitmq].volumeMounts[home]": "For the Erlang cookie, which is made anew for each pod.",
    },
    "ConfigMap broker": {
        "data.10-warrener.conf": "guest stays on the loopback interface, nobody is anonymous. The definitions, with users "
        "and queues, are read before the listeners open; what they say about a queue that exists is left alone.",
    },
    "NetworkPolicy broker": {
        "": "Only pods with Warrener's labels reach the broker; KEDA may read queue lengths, from a "
        "namespace that is named keda, and RabbitMQ's operator, from rabbitmq-system, asks the nodes it made how they are. If Prometheus is to scrape "
        "port 15692, add its namespace here.",
    },
    "RabbitmqCluster broker": {
        "": "RabbitMQ's cluster operator must be installed. Deleting this object deletes its volumes and all messages.",
        "spec.replicas": "Every queue is on three nodes, and works with two.",
        "spec.tls": "The ports without TLS stay open for port-forwards; the NetworkPolicy keeps the network from them.",
    },
    "PodMonitor monitoring": {
        "": "Has Prometheus's operator scrape all workers of this namespace. Label it where your Prometheus selects by labels.",
        "spec.podMetricsEndpoints[0].relabelings": "By slot instead of by pod: a worker that replaces another goes on with its "
        "series, and there are as many as slots, however many pods come and go.",
    },
    "PrometheusRule monitoring": {"": "docs/metrics.md says of each what to do."},
    "ConfigMap monitoring": {
        "": "For Grafana's sidecar, which looks for this label; or import the JSON by hand."
    },
    "PodDisruptionBudget broker": {"": "Nodes are drained one at a time, so that a quorum is always there."},
}


def comments_for(found: dict[str, Any]) -> dict[str, str]:
    """The comments for an object, by path."""
    component = found.get("metadata", {}).get("labels", {}).get("app.kubernetes.io/component")
    return COMMENTS.get(f"{found.get('kind')} {component}", {})
