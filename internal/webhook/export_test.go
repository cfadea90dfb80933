package webhook

// SignForTest gives the signature of a request.
var SignForTest = sign
