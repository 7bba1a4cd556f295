-- Where a shopper wants to be told of a shop's words while the window is closed: the browser maker's push service, and the
-- device's own keys, for which the words are sealed.
create table shopper_device (
  shop_id uuid not null,
  id uuid not null,
  shopper_id uuid not null,
  endpoint text not null,
  p256dh text not null,                -- base64url of the device's public point
  auth text not null,                  -- base64url of sixteen bytes that it shares
  made_at timestamptz not null default clock_timestamp(),
  told_seq bigint not null default 0,  -- the newest line of an agent that was called about
  primary key (shop_id, id),
  unique (shop_id, endpoint),
  foreign key (shop_id, shopper_id) references shopper (shop_id, id)
);
create index shopper_device_of on shopper_device (shop_id, shopper_id);
select wall_shop('shopper_device');

-- A push reaches who is not there by one of two ways, each with states of its own.
alter table push_reach
  add column channel text not null default 'webhook' check (channel in ('webhook', 'webpush')),
  add column line text not null default '',          -- while it waits to be sent
  add column tries int not null default 0,
  add column due_at timestamptz;                     -- web push: when it is tried (again)
alter table push_reach drop constraint push_reach_state_check;
alter table push_reach add constraint push_reach_state_check
  check (state in ('asked', 'handed', 'reached', 'failed')) not valid;
create index push_reach_due on push_reach (due_at) where channel = 'webpush' and state = 'asked';
