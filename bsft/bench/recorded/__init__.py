"""Items from anybody's cases: only tasks whose truth follows from the record, from arithmetic or from fixed limits.

What a scene shows are the record's own words; what is put into it or changed is drawn here and recorded. A case that
lacks what a task needs is left out of that task, with the reason.
"""
