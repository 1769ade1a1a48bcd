package receiver

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"time"
)

// bodyTimeout bounds how long a body may take to arrive. It holds a share of
// MaxInFlight meanwhile.
const bodyTimeout = 30 * time.Second

// read returns the body of at most limit bytes. release gives back its share
// of what may be in flight, once the body is no longer needed.
func (r *Receiver) read(w http.ResponseWriter, call *request, limit int64) (body []byte, release func(), refused *refusal) {
	if e := call.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return nil, nil, refuse(codeMediaType, "the body is compressed").advise("send it without Content-Encoding")
	}
	if call.ContentLength > limit {
		return nil, nil, tooLarge(limit)
	}
	share := limit
	if call.ContentLength >= 0 {
		share = call.ContentLength
	}
	if !r.inFlight.TryAcquire(share) {
		return nil, nil, busy(errors.New("too many bodies are in flight"))
	}
	release = func() { r.inFlight.Release(share) }
	// Not every writer has deadlines; the server's own limits hold then.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout))
	buf := bytes.NewBuffer(make([]byte, 0, min(max(call.ContentLength, 0), limit)+bytes.MinRead))
	_, err := buf.ReadFrom(http.MaxBytesReader(w, call.Body, limit))
	if err == nil {
		return buf.Bytes(), release, nil
	}
	release()
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return nil, nil, tooLarge(limit)
	}
	return nil, nil, refuse(codeMalformed, "the body broke off").because(err)
}

func tooLarge(limit int64) *refusal {
	p := refuse(codeTooLarge, "the body is too large")
	return p.advise("send at most " + size(limit))
}
