-- How far a withdrawal has come, in the order of the grants' key: each slice reads only its own grants.
alter table benefit_stock
  add column withdrawn_key text not null default '',
  add column withdrawn_shopper uuid not null default '00000000-0000-0000-0000-000000000000';
