"""Retrieval: images -> maps -> descriptors -> ranking -> metrics.

``protocol`` holds the options of the task, ``pipeline`` runs it; ``images``, ``extraction``, ``search`` and
``reranking`` are its stages, ``contract`` checks what methods return.
"""
