-- A signing secret is changed without a gap: the replaced one counts for a while beside the new one.
alter table shop add column token_kid text not null default 'k1' check (token_kid ~ '^k[0-9]{1,9}$');

create table retired_secret (
  shop_id uuid not null references shop,
  kid text not null,
  secret text not null,
  retired_at timestamptz not null default clock_timestamp(),
  ends_at timestamptz not null,
  primary key (shop_id, kid)
);
select wall_shop('retired_secret');

alter table api_key add column hint text not null default '';  -- its last four characters, to tell keys apart
alter table api_key add column made_by uuid;
