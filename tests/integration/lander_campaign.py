"""What tests that kill landers share: members that died leave their group at once, and the proof at the end."""

from __future__ import annotations

from kafka.admin import KafkaAdminClient, MemberToRemove

from ingest.lander import GROUP
from ingest.settings import Settings


def bury(settings: Settings) -> None:
    """Take dead members out of the group of landers, all of whom are dead: nobody waits for their time-out."""
    if not settings.log_url.startswith("kafka://"):
        return
    with KafkaAdminClient(bootstrap_servers=settings.log_url.removeprefix("kafka://")) as admin:
        members = admin.describe_groups([GROUP])[GROUP]["members"]
        if members:
            admin.remove_group_members(GROUP, [MemberToRemove(member_id=each["member_id"]) for each in members])
