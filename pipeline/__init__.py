"""What the job is: one Apache Beam pipeline, and the command that runs it. Start at flow.py.

ReceiveReferences ──▶ FetchObjects ──▶ ProcessObjects ──▶ WriteAndAcknowledge
"""
