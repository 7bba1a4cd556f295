-- The report looks for orders paid around its days, without walking a shop's whole past.
create index shop_order_by_payment on shop_order (shop_id, paid_at) where paid_at is not null;
