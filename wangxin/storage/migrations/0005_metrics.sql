-- The figures: turns, touches and tallies folded from the record, which order followed whose words, and daily sums.
-- Everything here can be computed again from the record; nothing is acknowledged on its word.

create function ms_at(ms bigint) returns timestamptz language sql immutable strict parallel safe as $$
  select timestamptz 'epoch' + ms * interval '1 millisecond'
$$;

create function at_ms(at timestamptz) returns bigint language sql immutable strict parallel safe as $$
  select (extract(epoch from at) * 1000)::bigint
$$;

-- How far each thread is folded, in both lanes, and what the fold must remember.
create table fold_cursor (
  shop_id uuid not null,
  thread_id uuid not null,
  public_seq bigint not null default 0,
  internal_seq bigint not null default 0,
  state jsonb,
  folded_at timestamptz not null default clock_timestamp(),
  primary key (shop_id, thread_id)
) with (fillfactor = 70);
select wall_shop('fold_cursor');

create table turn (
  shop_id uuid not null,
  thread_id uuid not null,
  first_seq bigint not null,
  shopper_id uuid not null,
  conversation_id uuid,
  day date not null,                   -- of its opening, in the shop's zone
  hour smallint not null,
  ordinal int not null,
  human_ordinal int not null,
  opened_at timestamptz not null,
  opened_by text not null,
  conversation_opened_at timestamptz not null,
  questions int not null,
  human_at timestamptz,
  assigned_at timestamptz,
  listed_at timestamptz,
  answered_at timestamptz,
  answer_seq bigint not null,
  answered_by text,
  ended_at timestamptz,
  agent_id uuid,
  pool_id uuid,
  bot_at timestamptz,
  auto_at timestamptz,
  transfers int not null,
  excluded text not null default '',
  void_reason text not null default '', -- set by a person or a rule, with an audit line; the fold never touches it
  left_message boolean not null,
  outbound boolean not null,
  recontact_ms bigint,
  stints jsonb not null,
  -- measured when written, so that a report of any length only groups and adds
  wait_ms bigint,                      -- a person was due -> his reply
  agent_wait_ms bigint,
  response_ms bigint,                  -- first unanswered words -> reply
  business_ms bigint,                  -- of wait_ms, within service hours
  wait_bucket smallint,
  agent_bucket smallint,
  primary key (shop_id, thread_id, first_seq)
);
create index turn_by_day on turn (shop_id, day, pool_id);
create index turn_by_agent on turn (shop_id, agent_id, day);
create index turn_by_conversation on turn (shop_id, conversation_id);
select wall_shop('turn');

create table touch (
  shop_id uuid not null,
  conversation_id uuid not null,
  number int not null,
  thread_id uuid not null,
  shopper_id uuid not null,
  agent_id uuid not null,
  pool_id uuid,
  first_at timestamptz not null,
  last_at timestamptz not null,
  messages int not null,
  turns int not null,
  primary key (shop_id, conversation_id, number)
);
create index touch_by_shopper on touch (shop_id, shopper_id, first_at);
select wall_shop('touch');

create table tally (
  shop_id uuid not null,
  conversation_id uuid not null,
  thread_id uuid not null,
  shopper_id uuid not null,
  day date not null,
  hour smallint not null,
  opened_at timestamptz not null,
  outbound boolean not null,
  shopper_messages int not null,
  human_messages int not null,
  bot_messages int not null,
  first_shopper_at timestamptz,
  last_shopper_at timestamptz,
  enqueued_at timestamptz,
  assigned_at timestamptz,
  agent_id uuid,
  pool_id uuid,
  first_human_at timestamptz,
  last_human_at timestamptz,
  last_bot_at timestamptz,
  closed_at timestamptz,
  close_reason text not null,
  left_message boolean not null,
  gave_up_at timestamptz,
  transfers int not null,
  score smallint not null,
  abandoned text not null,
  primary key (shop_id, conversation_id)
);
create index tally_by_day on tally (shop_id, day);
create index tally_by_shopper on tally (shop_id, shopper_id, opened_at);
select wall_shop('tally');

-- Which order followed whose words, by each rule: parts of an order add up to what was paid, one part counts it.
create table order_credit (
  shop_id uuid not null,
  order_id text not null,
  rule text not null,
  part smallint not null,
  kind text not null check (kind in ('touched', 'rescued', 'bot', 'silent', 'late')),
  shopper_id uuid,
  conversation_id uuid,
  agent_id uuid,
  pool_id uuid,
  orders smallint not null,
  paid_fen bigint not null,
  converted_at timestamptz not null,
  day date not null,                   -- of the payment, in the shop's zone
  order_changed_at timestamptz not null, -- the version of the order that was attributed
  primary key (shop_id, order_id, rule, part)
);
create index order_credit_by_day on order_credit (shop_id, rule, day);
create index order_credit_by_conversation on order_credit (shop_id, rule, conversation_id);
select wall_shop('order_credit');

create index shop_order_by_change on shop_order (changed_at);

-- Sums of a day that is over, by hour, pool and agent; a day that changes afterwards gets the next version.
create table day_seal (
  shop_id uuid not null,
  day date not null,
  version int not null,
  sealed_at timestamptz not null default clock_timestamp(),
  digest text not null,
  primary key (shop_id, day, version)
);
select wall_shop('day_seal');

create table day_figure (
  shop_id uuid not null,
  day date not null,
  pool_id uuid not null,               -- nil: none
  agent_id uuid not null,              -- nil: none
  hour smallint not null,
  turns int not null,
  answered int not null,
  in_3min int not null,
  asked_3min int not null,
  first_turns int not null,
  first_answered int not null,
  wait_sum_ms bigint not null,
  first_sum_ms bigint not null,
  primary key (shop_id, day, pool_id, agent_id, hour)
);
select wall_shop('day_figure');

create table day_bucket (
  shop_id uuid not null,
  day date not null,
  pool_id uuid not null,
  first boolean not null,              -- of first turns, or of all
  bucket smallint not null,
  n int not null,
  primary key (shop_id, day, pool_id, first, bucket)
);
select wall_shop('day_bucket');
