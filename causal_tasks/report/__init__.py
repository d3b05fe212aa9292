"""One result, many views: the page, the chat message, the picture, Markdown.

``result`` assembles what the stages found into the JSON that every view reads, ``content`` puts it into words of one
language, and each view only lays that content out.
"""
