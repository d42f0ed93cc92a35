"""subfloor inside Ansible: the collection ``subfloor.core``, whose tasks work through Ansible's connections.

Ansible is imported only by functions that the action plugin calls, and only when they run.
"""
