-- The bot and the message box are pools of a shop, so that they have hours, a state and a bound, and stand in its steps;
-- and what language a shopper reads, as his window says.

alter table pool drop constraint pool_kind_check, drop constraint pool_check;
alter table pool
  add constraint pool_kind_check check (kind in ('in_house', 'outsourced', 'bot', 'message_box')),
  add constraint pool_provider_check check ((kind = 'outsourced') = (provider_id is not null));

alter table shopper add column lang text not null default '';
