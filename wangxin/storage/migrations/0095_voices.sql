-- What somebody said into a microphone is an upload as pictures and videos are.
alter table media
  drop constraint media_kind_check,
  add constraint media_kind_check check (kind in ('image', 'video', 'voice')) not valid;
alter table media validate constraint media_kind_check;
