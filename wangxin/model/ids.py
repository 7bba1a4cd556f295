"""Names for identities. All are UUIDv7 made by :mod:`wangxin.clock`; the types only keep them apart."""

from __future__ import annotations

from typing import NewType
from uuid import UUID

ShopId = NewType("ShopId", UUID)
ShopperId = NewType("ShopperId", UUID)
AgentId = NewType("AgentId", UUID)
AccountId = NewType("AccountId", UUID)
ThreadId = NewType("ThreadId", UUID)
ConversationId = NewType("ConversationId", UUID)
PoolId = NewType("PoolId", UUID)
ProviderId = NewType("ProviderId", UUID)
ContractId = NewType("ContractId", UUID)
RuleId = NewType("RuleId", UUID)
NodeId = NewType("NodeId", str)
