-- Who is not there when a push comes is told to a channel of the shop's own (an app's notifications, a text message): a
-- signed webhook. What became of that is kept beside the ledger, once a message.

create table push_reach (
  shop_id uuid not null,
  delivery uuid not null,              -- the message: push_delivery.msg_id
  rule_id uuid not null,
  run_id uuid not null,
  shopper_id uuid not null,
  state text not null default 'asked' check (state in ('asked', 'reached', 'failed')),
  at timestamptz not null default clock_timestamp(),
  changed_at timestamptz,
  primary key (shop_id, delivery)
);
create index push_reach_of_rule on push_reach (shop_id, rule_id);
select wall_shop('push_reach');

alter table push_chunk add column looked_at timestamptz;  -- when it was asked who had not been there
update push_chunk set looked_at = done_at where done_at is not null;
create index push_chunk_to_look on push_chunk (done_at) where done_at is not null and looked_at is null;
