-- A contract may hold for several shops: each has a row of the version, under the same id and number, and names all of
-- them. A shop that a version leaves out gets a row of it that ends with its first millisecond. Rows of before name none:
-- they hold for their own shop alone.

alter table contract add column shop_ids uuid[] not null default '{}';

-- What holds now: of each contract the newest agreed version that has started, unless it has ended.
create view running_contract with (security_invoker = true) as
  select * from (select distinct on (shop_id, id) * from agreed_contract where starts_at <= clock_timestamp()
                  order by shop_id, id, version desc) c
   where ends_at is null or ends_at > clock_timestamp();
grant select on running_contract to wangxin_web;

-- Conversations that wait for one pool alone, after a transfer, for the dispatcher that takes over: it counts only under
-- the epoch that the transfer gave.
create table pinned (
  shop_id uuid not null references shop,
  conversation_id uuid not null,
  epoch int not null,
  pool_id uuid not null,
  until_at timestamptz not null,
  primary key (shop_id, conversation_id)
);
select wall_shop('pinned');
revoke insert, update, delete on pinned from wangxin_web;
