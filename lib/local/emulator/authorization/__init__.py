"""IAM in the local cloud: MiniStack's evaluator of policies, made strict, and what AWS's services ask it.

MiniStack judges the requests that it serves itself. This package judges the rest: requests to our own
services, what a service does in the name of a role, and what a service does in its own name. Everything
ends in one function of MiniStack, ``iam_evaluator.evaluate``. ``docs/adr/0016-iam-is-enforced-locally.md``
says why.
"""
