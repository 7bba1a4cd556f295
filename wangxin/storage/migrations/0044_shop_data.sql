-- The shop's own server that answers for orders, members, coupons, invoices and stock, and the secret our calls are signed with.

create table shop_data (
  shop_id uuid primary key references shop,
  url text not null default '',            -- '': none; the secret then signs only the calls of menu items
  secret text not null,
  calls text[] not null default '{}',      -- what the server said it answers, at the last good check
  checked_at timestamptz,
  checked jsonb,                           -- the last check, line by line
  changed_at timestamptz not null default clock_timestamp()
);
select wall_shop('shop_data');
