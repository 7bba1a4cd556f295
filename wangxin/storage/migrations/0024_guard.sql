-- What the slow-response guard did about a turn: one row a tier, written by the dispatcher alone. `since_at` is when the
-- shopper began to wait for an answer; the tiers are the policy's of `policy_version`.

create table slow_turn (
  shop_id uuid not null references shop,
  conversation_id uuid not null,
  since_at timestamptz not null,
  after_ms int not null,
  thread_id uuid not null,
  tier smallint not null,
  waited_ms bigint not null,
  acts text[] not null,
  agent_id uuid,                         -- who had it until then; null: it waited in line
  pool_id uuid,
  policy_version int not null default 0,
  at timestamptz not null default clock_timestamp(),
  primary key (shop_id, conversation_id, since_at, after_ms)
);
create index slow_turn_by_thread on slow_turn (shop_id, thread_id, at desc);
select wall_shop('slow_turn');
revoke insert, update, delete on slow_turn from wangxin_web;

-- A shopper in line asked to be called back in the chat: his place is kept while his window may be closed.
alter table conversation add column callback_at timestamptz;
