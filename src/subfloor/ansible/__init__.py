"""subfloor inside Ansible: the collection ``subfloor.core``, whose tasks work through Ansible's connections.

Only what the action plugin calls imports Ansible, and only when it runs.
"""
