-- A benefit lives to its end: claimed, redeemed with the order it went into, expired, withdrawn; and it may cost so much.

alter table benefit_grant
  add column tap boolean not null default false,   -- the shopper claims it by a tap
  add column claimed_at timestamptz,
  add column redeemed_at timestamptz,
  add column redeemed_for text,                    -- the order it went into, as the shop calls it
  add column order_cents bigint;                   -- what that order came to
create index benefit_grant_to_expire on benefit_grant (expires_at) where state in ('granted', 'claimed');

alter table benefit_stock
  add column budget_cents bigint,                  -- null: no bound
  add column spent_cents bigint not null default 0,
  add column withdrawn_at timestamptz,             -- from then on nobody gets one
  add column withdrawing boolean not null default false;   -- unread messages are still being taken back
create index benefit_stock_withdrawing on benefit_stock (shop_id) where withdrawing;

alter table push_policy
  add column approve_above_cents bigint not null default 1000000,  -- a rule that may give away more needs a second person
  add column crowd_days jsonb not null default '{}';  -- the shop's own thresholds of the ready crowds
alter table push_rule add column approved_n int;       -- how many people the approval was given for
