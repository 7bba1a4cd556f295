-- What rules found in each ended conversation of a person, so that all are looked at and not a sample alone. `hints`:
-- [{rule, seq, words}]; words are the shop's own, never those of a shopper.
create table quality_check (
  shop_id uuid not null references shop,
  conversation_id uuid not null,
  thread_id uuid not null,
  day date not null,
  agent_id uuid not null,
  pool_id uuid,
  hints jsonb not null,
  checked_at timestamptz not null default clock_timestamp(),
  primary key (shop_id, conversation_id)
);
create index quality_check_by_day on quality_check (shop_id, day);
create index quality_check_found on quality_check (shop_id, day) where hints <> '[]';
select wall_shop('quality_check');
