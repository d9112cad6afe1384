"""A mail host of real daemons, the DNS that it needs and an auditor, in namespaces of this machine (see docs/decisions)."""

from lab.certificates import Certificate
from lab.kit import Kit
from lab.running import Lab, Scan, running
from lab.space import missing
from lab.variants import BASE, Variant

__all__ = ["BASE", "Certificate", "Kit", "Lab", "Scan", "Variant", "missing", "running"]
