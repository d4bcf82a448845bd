"""Stand-ins for the programs of a mesh, run by pods of the suite's node inside its image.

Each is what the rendered Deployments and injected containers start, under the real name. They ask
the API server for what the real programs asked for, as the service account that they are given,
and refuse to be ready where it is refused.
"""
