"""The corrected example written otherwise, spoilt in one place, robbed of its evidence: what the rules must say then."""
