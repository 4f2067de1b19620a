"""Texts that stand in most records: the dictionary with which they are compressed (`packed.py`).

What was compressed with it needs it, to the byte, for as long as records are kept. So it never changes;
better words make a new form, beside this one.
"""

from __future__ import annotations

# The nearer to the end, the fewer bits it takes to refer to it.
WORDS = b"".join((
    # Webhooks of workflows, by the templates of `domain/webhook/templates.py`, and signed ones.
    b'"trigger":"call-modified","body":{"trigger":"note-added","body":{"trigger":"contact-tagged","body":{',
    b'"occurred_at":"","data":{"call":{"properties":{"status":"answered","missed","voicemail","abandoned",',
    b'"direction":"outgoing","internal_number_name":"","agent_email":"@example","agent_name":"",',
    b'"summary":"","sentiment":"positive","neutral","topics":["smart_notes":"","overall_rating":',
    b'"trigger":"call-started","body":{"trigger":"call-answered","body":{"event":"call_started",',
    b'"event":"call_answered",',
    b'"queue_name":"","is_transferred":false,"recorded":true,"is_voicemail":"true",',
    b'{"asked_at":1,"body":{"Cdr":{"id":"","billsec":"","talking_time":"","waiting_time":"",',
    b'"wrapup_time":"",',
    b'"public_internal":"","public_external":"","recorded":true,"is_voicemail":false,"fax_email":null,',
    b'"user_id":"","started_at":"","answered_at":"","ended_at":""},"Contact":{"name":"",',
    b'"contact_numbers":[',
    b'"Agent":{"id":"","firstname":"","lastname":"","fullname":"","email":""},',
    b'"CallNumber":{"internal_name":"",',
    b'"call_steps":[{"type":"ivr","type":"queue","type":"agent","status":"answered","call_type":"regular",',
    # What was written.
    b'"outcome":"error":"reason":"updated","shown":{"tags":["status":"snoozed","status":"open","priority":',
    b'"Missed incoming call\\n\\nCaller: \\nOutgoing call, answered\\n\\nCalled: \\nOutgoing call,',
    b' no answer\\n\\nVoicemail',
    b"Call back by \\nCalled back: call ,",
    b" by \\nRating: of 5\\nStill to come: details from CloudTalk\\nSummary\\n> ",
    b'When: Sat Sun Jan Feb Apr Jun Jul Aug Sep Oct Nov Dec Wed  2027, Tue  2026, Thu  2026, ',
    b'"lines":["attachments":[{"_id":"","name":"call-.wav","later created","voice created",',
    b'"klass created",',
    b'"name":"Missed call from ","name":"Call to ","direction":"out","direction":null,"custom":{},',
    # The recording, with the heights of its waveform.
    b'"asked_at":1,"body":{"kind":null,"original":{"content_type":"audio/x-wav","name":"2026/",',
    b'"content_type":"audio/wav",',
    b'.wav","sha256":"","size":},"peaks":[100,99,98,97,96,95,94,93,92,91,90,89,88,87,86,85,84,83,82,',
    b'81,80,79,78,77,76,',
    b'75,74,73,72,71,70,69,68,67,66,65,64,63,62,61,60,59,58,57,56,55,54,53,52,51,50,49,48,47,46,45,',
    b'44,43,42,41,40,39,',
    b'38,37,36,35,34,33,32,31,30,29,28,27,26,25,24,23,22,21,20,19,18,17,16,15,14,13,12,11,10,9,8,7,6,',
    b'5,4,3,2,1,0,0,0,0],',
    b'"plays":true,"seconds":.0,"speech":{"content_type":"audio/mpeg","name":"2026/.mp3","sha256":"",',
    b'"size":}},"last_at":1',
    b'{"trigger":"recording-uploaded","body":{"call_id":"1","call_uuid":"-4","event":"recording_uploaded",',
    b'"external_number":"4","internal_number":"1",',
    b'"recording_url":"https://my.cloudtalk.io/pub/r/%3D%3D/Y%3D%3D.wav","template":"1"}},',
    # The call's end, and what is written for it.
    b'{"trigger":"call-ended","body":{"agent_first_name":"","agent_id":"4","agent_last_name":"",',
    b'"answered_at":"2026-0T1:.000Z","call_id":"1","call_uuid":"-4","contact_id":"1","contact_name":"",',
    b'"direction":"incoming","ended_at":"2026-1T0:.000Z","event":"call_ended","external_number":"4",',
    b'"internal_number":"1",',
    b'"is_voicemail":"false","notes":"","started_at":"2026-","tags":"","talking_time":"","template":"1",',
    b'"waiting_time":"","wrapup_time":""}}}',
    b'{"out":{"customer":{"id":"","sent":{"phone":"+","name":""},"created":true},',
    b'"attachment":{"id":"","sent":{"name":"call-.mp3","contentType":"audio/mpeg","contentLength":,',
    b'"sha256":""},"created":true},',
    b'"conversation":{"id":"","sent":{"externalId":"cloudtalk:call:-4","name":"Call from ",',
    b'"direction":"in","status":"done",',
    b'"tags":[],"assignedUsers":[],"assignedTeams":[]},"created":true},',
    b'"note":{"id":"","sent":{"externalId":"cloudtalk:call:-4:note",',
    b'"body":"Answered incoming call\\n\\nCaller: ,',
    b' +4\\nOur line: +1\\nAgent: \\nWhen: Mon  Mar 2026, Fri May 2026, ',
    b'1: to 0: UTC\\nTimes: waited  s, talked  min  s\\nCall tags: ',
    b"\\nRecording: attached ( min  s)\\nCloudTalk call: 1\\n\\nAgent's notes\\n> ",
    b'","attachments":[{"_id":"","name":"call-.mp3","contentType":"audio/mpeg","contentLength":}]},',
    b'"created":true}},',
    b'"log":[{"at":1,"what":"recording stored"},{"at":1,"what":"note updated"},{"at":1,',
    b'"what":"attachment created"},',
    b'{"at":1,"what":"note found"},{"at":1,"what":"customer found"},{"at":1,"what":"note created"},',
    b'{"at":1,"what":"conversation created"},{"at":1,"what":"customer created"}]}',
))  # fmt: skip
