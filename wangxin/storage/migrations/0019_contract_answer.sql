-- A contract version that a merchant proposes holds once its provider has accepted it. A version without a row here was
-- set up by the house itself and holds from the start.

create table contract_answer (
  shop_id uuid not null,
  contract_id uuid not null,
  version int not null,
  provider_id uuid not null references provider,
  state text not null default 'asked' check (state in ('asked', 'accepted', 'refused')),
  note text not null default '',
  answered_at timestamptz,
  answered_by uuid,
  primary key (shop_id, contract_id, version),
  foreign key (shop_id, contract_id, version) references contract
);
create index contract_answer_by_provider on contract_answer (provider_id);
select wall_shop('contract_answer');
revoke insert, update, delete on contract_answer from wangxin_web;

create view agreed_contract with (security_invoker = true) as
  select c.* from contract c
   where not exists (select 1 from contract_answer a
                      where a.shop_id = c.shop_id and a.contract_id = c.id and a.version = c.version
                        and a.state <> 'accepted');
grant select on agreed_contract to wangxin_web;
